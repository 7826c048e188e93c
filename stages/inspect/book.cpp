#include "stages/inspect/book.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <numeric>
#include <set>
#include <string>
#include <tuple>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "metrics/chrf.hpp"
#include "obs/progress_meter.hpp"
#include "stages/shared/page/page.hpp"
#include "stages/shared/search/decoding_settings.hpp"
#include "stages/shared/trace/token_texts.hpp"
#include "text/files/line_filter.hpp"
#include "text/output_line.hpp"

namespace knnseq::stages {

namespace {

using Json = core::Json;

/// Code points of each piece: short, and JavaScript counts them as well.
Json lengths_of(const std::vector<std::string>& pieces) {
  Json lengths = Json::array();
  for (const auto& piece : pieces) {
    lengths.push_back(std::ranges::count_if(piece, [](char c) { return (c & 0xC0) != 0x80; }));
  }
  return lengths;
}

/// A probability in ten-thousandths.
std::int64_t short_probability(const Json& probability) {
  return std::lround(probability.get<double>() * 10'000);
}

double four_digits(const Json& number) {
  return std::strtod(fmt::format("{:.4g}", number.get<double>()).c_str(), nullptr);
}

/// What the page reads, built line by line (stages/shared/page/7_book.js expands it). Lists stand
/// for objects, since there are hundreds of thousands of them.
class Book {
 public:
  Book(const Options& options, const text::Tokenizer& tokenizer, std::int64_t lines_of_test_set)
      : tokenizer_(tokenizer) {
    json_ = {{"version", trace_version},   {"base", options.inspect.base},
             {"knn", options.inspect.knn}, {"of", lines_of_test_set},
             {"texts", Json::object()},    {"sentences", Json::array()},
             {"lines", Json::array()}};
  }

  /// One line; `trace` is that of the translation with kNN.
  void add(const TwoDecodings& decodings, std::size_t line, const Json& trace) {
    json_["settings"] = trace["settings"];
    json_["end"] = trace["end_token"];
    const auto base = target_texts(tokenizer_, decodings.base[line]);
    const auto knn = target_texts(tokenizer_, decodings.knn[line]);
    const auto same = common_tokens(decodings.base[line], decodings.knn[line]);
    std::set<std::size_t> unchanged;
    for (const auto& [_, place] : same) unchanged.insert(place);
    Json tokens = Json::array();
    for (std::size_t i = 0; i < decodings.knn[line].size(); ++i) {
      tokens.push_back(token_of(trace["target"]["tokens"][i], trace, unchanged.contains(i)));
    }
    Json made = {{"n", line + 1},
                 {"source", trace["source"]["text"]},
                 {"base", {base.text, lengths_of(base.pieces)}},
                 {"knn", {knn.text, lengths_of(knn.pieces)}},
                 {"same", same},
                 {"tokens", tokens}};
    if (!decodings.references.empty()) {
      const auto& reference = decodings.references[line];
      made["reference"] = reference;
      for (const auto* text : {&decodings.base_text[line], &decodings.knn_text[line]}) {
        made["chrf"].push_back(
            four_digits(Json(metrics::chrf_score(metrics::chrf_statistics(*text, reference)))));
      }
    }
    if (const auto& memory = trace["memory"]; memory.is_object()) {
      made["memory"] = {sentence_of_page(trace, memory), four_digits(memory["distance"])};
    }
    json_["lines"].push_back(std::move(made));
  }

  const Json& json() const { return json_; }

 private:
  /// [p_mt, p_knn, p, λ], and of a token that was changed [token, p_mt, p_knn, p] of candidates,
  /// [token, distance, share, sentence, position] of neighbours, and the plane.
  Json token_of(const Json& token, const Json& trace, bool unchanged) {
    if (!token.contains("p")) return Json::array();
    Json made = {short_probability(token["p_mt"]), short_probability(token["p_knn"]),
                 short_probability(token["p"]), four_digits(token["lambda"])};
    if (unchanged) return made;
    Json candidates = Json::array(), neighbours = Json::array();
    for (const auto& candidate : token["candidates"]) {
      if (candidates.size() >= most_candidates && candidate["token"] != token["token"]) continue;
      candidates.push_back({known(candidate), short_probability(candidate["p_mt"]),
                            short_probability(candidate["p_knn"]),
                            short_probability(candidate["p"])});
    }
    for (const auto& neighbour : token["neighbours"]) {
      neighbours.push_back({known(neighbour), four_digits(neighbour["distance"]),
                            short_probability(neighbour["share"]),
                            sentence_of_page(trace, neighbour), neighbour["position"]});
    }
    made.insert(made.end(), {known(token), candidates, neighbours, token["searched"]});
    if (token.contains("plane")) {
      const auto& plane = token["plane"];
      Json points = {four_digits(plane["variance"]), point(plane["query"])};
      for (const auto& place : plane["neighbours"]) points.push_back(point(place));
      made.push_back(points);
    }
    return made;
  }

  static Json point(const Json& place) { return {four_digits(place[0]), four_digits(place[1])}; }

  /// The token, whose text the page then knows.
  Json known(const Json& token) {
    const auto id = token["token"].get<core::TokenId>();
    auto& texts = json_["texts"];
    const auto name = std::to_string(id);
    if (!texts.contains(name)) {
      texts[name] = tokenizer_.has_target_token(id)
                        ? text::output_line(tokenizer_.decode_target({&id, 1}))
                        : std::string();
    }
    return id;
  }

  std::size_t sentence_of_page(const Json& trace, const Json& neighbour) {
    const auto& sentence = trace["sentences"][neighbour["sentence"].get<std::size_t>()];
    const std::tuple key{sentence["datastore"].get<std::int64_t>(),
                         sentence["corpus"].get<std::string>(),
                         sentence["line"].get<std::int64_t>()};
    const auto [place, is_new] = sentences_.emplace(key, sentences_.size());
    if (is_new) {
      json_["sentences"].push_back({sentence["source"], sentence["target"],
                                    lengths_of(sentence["pieces"].get<std::vector<std::string>>()),
                                    sentence["line"], sentence["corpus"]});
    }
    return place->second;
  }

  static constexpr std::size_t most_candidates = 6;
  const text::Tokenizer& tokenizer_;
  Json json_;
  std::map<std::tuple<std::int64_t, std::string, std::int64_t>, std::size_t> sentences_;
};

/// The lines that are asked for, from 0.
std::vector<std::size_t> chosen_lines(const InspectOptions& options, std::int64_t count) {
  std::vector<std::size_t> lines;
  for (const auto line : options.lines) {
    if (line > count) {
      throw core::InputError(
          fmt::format("inspect.lines {}: the test set has {} lines", line, count));
    }
    lines.push_back(static_cast<std::size_t>(line - 1));
  }
  if (!lines.empty()) return lines;
  lines.resize(static_cast<std::size_t>(count));
  std::iota(lines.begin(), lines.end(), std::size_t{0});
  return lines;
}

/// The sources of these lines as the tokeniser takes them, on all ranks. Collective.
std::vector<std::string> preprocessed(runtime::StageContext& context, const Options& options,
                                      std::vector<std::string> lines) {
  if (options.preprocess.source.empty()) return lines;
  comm::on_root(context.comm,
                [&] { lines = text::filter_lines(options.preprocess.source, lines); });
  return Json::parse(context.comm.broadcast_string(Json(lines).dump()))
      .get<std::vector<std::string>>();
}

}  // namespace

void write_book(runtime::StageContext& context, const Options& options,
                const TracedDecoding& traced, const TwoDecodings& decodings) {
  const std::filesystem::path file = options.inspect.html;
  std::vector<std::size_t> lines;
  comm::agree(context.comm, [&] {
    lines = chosen_lines(options.inspect, decodings.size());
    if (std::filesystem::is_directory(file)) {
      throw core::InputError("inspect.html: " + file.string() + " is a folder");
    }
    const auto folder = file.parent_path();
    if (!folder.empty() && !std::filesystem::is_directory(folder)) {
      throw core::InputError("inspect.html: there is no folder " + folder.string());
    }
  });
  std::vector<std::string> sources;
  for (const auto line : lines) sources.push_back(decodings.sources[line]);
  const auto tokenised = preprocessed(context, options, sources);

  Book book(options, traced.tokenizer, decodings.size());
  const TraceOptions how{.neighbours = options.inspect.neighbours, .plane = options.inspect.plane};
  const auto at_once = static_cast<std::size_t>(context.comm.size()) * 16;
  for (std::size_t first = 0; first < lines.size(); first += at_once) {
    std::vector<TracedTranslation> translations;
    const auto end = std::min(first + at_once, lines.size());
    for (auto i = first; i < end; ++i) {
      TracedTranslation translation{
          sources[i],
          traced.tokenizer.source_frame().around(traced.tokenizer.encode_source(tokenised[i]),
                                                 traced.model.info().source_positions),
          decodings.knn[lines[i]],
          {}};
      auto& changed = translation.explained.emplace();
      for (std::int64_t place = 0; place < std::ssize(translation.target); ++place) {
        changed.insert(place);
      }
      for (const auto& [_, place] : common_tokens(decodings.base[lines[i]], translation.target)) {
        changed.erase(static_cast<std::int64_t>(place));
      }
      translations.push_back(std::move(translation));
    }
    const auto traces = trace(context, traced, translations, how);
    comm::on_root(context.comm, [&] {
      for (auto i = first; i < end; ++i) book.add(decodings, lines[i], traces[i - first]);
    });
  }
  comm::on_root(context.comm, [&] {
    const auto page = standalone_page(book.json());
    core::write_file_durably(file, page);
    context.log.info(fmt::format("wrote {}: {} lines, {}", file.string(),
                                 obs::with_commas(std::ssize(lines)),
                                 obs::as_bytes(std::ssize(page))));
  });
}

}  // namespace knnseq::stages
