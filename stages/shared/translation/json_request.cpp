#include "stages/shared/translation/json_request.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/json_field.hpp"
#include "core/parse_json.hpp"
#include "core/utf8.hpp"
#include "core/utf8_repair.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

constexpr std::array known_fields = {"source", "knn",   "prefix", "nbest",
                                     "trace",  "learn", "id",     "reference"};

/// One line of text.
std::string line_of(const core::JsonField& field) {
  const auto& line = field.text();
  if (!core::is_valid_text(line) || line.find('\n') != line.npos) {
    field.refuse("must be one line of text, without NUL");
  }
  constexpr auto longest = text::TextLimits{}.line_bytes;
  if (line.size() > longest) field.refuse(fmt::format("has more than {} bytes", longest));
  return line;
}

std::optional<TraceOptions> trace_of(const core::JsonField& field) {
  TraceOptions how;
  if (!field.is_object()) return field.flag() ? std::optional(how) : std::nullopt;
  for (const auto& [name, value] : field.members()) {
    if (name == "neighbours") {
      how.neighbours = value.number(0, 1'000'000);
    } else if (name == "candidates") {
      how.candidates = value.number(0, 1'000);
    } else if (name == "plane") {
      how.plane = value.flag();
    } else if (name == "tokens") {
      for (const auto& place : value.elements()) how.tokens.push_back(place.number(0, 1'000'000));
      if (how.tokens.empty()) value.refuse("must not be empty");
    } else {
      field.refuse(
          fmt::format("has no field {}; there are neighbours, candidates, plane and tokens", name));
    }
  }
  return how;
}

void read_fields_of(const core::Json& json, JsonRequest& made) {
  const core::JsonField fields("request", json);
  if (!fields.is_object()) fields.refuse("must be an object");
  for (const auto* name : {"id", "reference"}) {
    if (fields.has(name)) made.echoed[name] = json[name];
  }
  for (const auto& [name, value] : fields.members()) {
    if (std::ranges::find(known_fields, name) != known_fields.end()) continue;
    fields.refuse(
        fmt::format("has no field {}; there are {}", name, fmt::join(known_fields, ", ")));
  }
  auto& request = made.request;
  if (fields.has("learn")) {
    const auto pair = fields.at("learn");
    request.lesson = Lesson{line_of(pair.at("source")), line_of(pair.at("target"))};
    if (json.size() > (fields.has("id") ? 2 : 1) || pair.members().size() > 2) {
      pair.refuse("has a source and a target, and no field stands beside it but id");
    }
    return;
  }
  request.line = line_of(fields.at("source"));
  if (fields.has("reference")) line_of(fields.at("reference"));
  if (fields.has("prefix")) request.prefix = line_of(fields.at("prefix"));
  made.lists = fields.has("nbest");
  if (made.lists) request.nbest = fields.at("nbest").number(1, 1'000);
  if (fields.has("knn")) request.knn = json["knn"];
  if (fields.has("trace")) request.trace = trace_of(fields.at("trace"));
}

}  // namespace

JsonRequest read_request(const std::string& text) {
  JsonRequest made;
  try {
    read_fields_of(core::parse_json(text, "request"), made);
  } catch (const core::InputError& e) {
    made.error = e.what();
  }
  return made;
}

core::Json answer_of(const JsonRequest& request, const TranslationAnswer& answer) {
  core::Json json = request.echoed;
  const auto& error = request.error.empty() ? answer.error : request.error;
  if (!error.empty()) {
    json["error"] = {{"message", core::replace_invalid_utf8(error)}};
    return json;
  }
  if (request.request.lesson) {
    json["learned"] = {{"line", answer.learned_line}};
    return json;
  }
  const bool empty = answer.best.empty();
  json["text"] = empty ? "" : answer.texts.front();
  json["score"] = empty ? core::Json() : core::Json(answer.best.front().score);
  if (request.lists) {
    json["nbest"] = core::Json::array();
    for (std::size_t i = 0; i < answer.best.size(); ++i) {
      const auto& [tokens, score, log_probs] = answer.best[i];
      json["nbest"].push_back({{"text", answer.texts[i]},
                               {"score", score},
                               {"tokens", tokens},
                               {"log_probs", log_probs}});
    }
  }
  if (request.request.trace) json["trace"] = answer.trace;
  return json;
}

}  // namespace knnseq::stages
