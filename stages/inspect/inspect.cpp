#include "stages/inspect/inspect.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/terminal.hpp"
#include "stages/inspect/book.hpp"
#include "stages/inspect/two_decodings.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/decoding_settings.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/trace/trace.hpp"
#include "text/files/line_filter.hpp"
#include "text/output_line.hpp"

namespace knnseq::stages {

namespace {

DecodeOptions decoding_named(const Options& options, const std::string& key,
                             const std::string& name) {
  for (const auto& decoding : options.decode) {
    if (decoding.name == name) return decoding;
  }
  throw core::InputError(fmt::format("inspect.{}: no item of 'decode' is named '{}'", key, name));
}

/// The line to show: the given one, or the longest that kNN alone translates just as the reference.
std::size_t choose_line(const InspectOptions& options, const TwoDecodings& both) {
  const auto& knn = both.knn_text;
  if (options.line > 0) {
    if (options.line > std::ssize(knn)) {
      throw core::InputError(
          fmt::format("inspect.line {}: the test set has {} lines", options.line, knn.size()));
    }
    return static_cast<std::size_t>(options.line - 1);
  }
  std::size_t chosen = 0;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < knn.size(); ++i) {
    if (both.base_text[i] == knn[i]) continue;
    const bool solved = i < both.references.size() && knn[i] == both.references[i];
    const std::size_t length = solved ? 1000 + knn[i].size() : 1;
    if (length > longest) {
      longest = length;
      chosen = i;
    }
  }
  return chosen;
}

/// One line of both decodings, and which of its tokens is shown.
struct Case {
  std::size_t line = 0;
  std::string source, reference, base_text, knn_text;
  bool has_reference = false;
  TargetTokens base, knn;
  std::size_t differs = 0;           ///< position of the first token that differs
  std::optional<std::size_t> token;  ///< position; none: both translations are the same

  /// Whether the base's token there has the same tokens before it, so that both can be compared.
  bool compares() const { return token && *token <= differs && *token < base.size(); }
};

Case choose_case(const InspectOptions& options, const TwoDecodings& both) {
  Case shown;
  shown.line = choose_line(options, both);
  shown.source = both.sources[shown.line];
  shown.base = both.base[shown.line];
  shown.knn = both.knn[shown.line];
  shown.base_text = both.base_text[shown.line];
  shown.knn_text = both.knn_text[shown.line];
  shown.has_reference = !both.references.empty();
  if (shown.has_reference) shown.reference = both.references[shown.line];
  const auto shorter = std::min(shown.base.size(), shown.knn.size());
  while (shown.differs < shorter && shown.base[shown.differs] == shown.knn[shown.differs]) {
    ++shown.differs;
  }
  if (options.token > std::ssize(shown.knn)) {
    throw core::InputError(fmt::format("inspect.token {}: the translation has {} tokens",
                                       options.token, shown.knn.size()));
  }
  if (options.token > 0) {
    shown.token = static_cast<std::size_t>(options.token - 1);
  } else if (shown.base != shown.knn) {
    shown.token = shown.differs;
  }
  return shown;
}

core::Json as_json(const Case& shown, const InspectOptions& options, const core::Json& trace) {
  return {{"line", shown.line + 1},
          {"reference", shown.has_reference ? core::Json(shown.reference) : core::Json()},
          {"base", {{"name", options.base}, {"text", shown.base_text}, {"tokens", shown.base}}},
          {"knn", {{"name", options.knn}, {"text", shown.knn_text}, {"tokens", shown.knn}}},
          {"position", shown.token ? core::Json(*shown.token) : core::Json()},
          {"trace", trace}};
}

// What follows prints a trace for people.

/// The target as text, its token at `position` in brackets, if one is given.
std::string marked(const core::Json& sentence, std::optional<std::size_t> position) {
  if (!position) return sentence["target"];
  const auto pieces = sentence["pieces"].get<std::vector<std::string>>();
  if (*position + 1 == pieces.size() && pieces.back().empty())
    return sentence["target"].get<std::string>() + " [end of sentence]";
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const auto space = pieces[i].starts_with(' ') ? 1u : 0u;
    text += i == *position ? pieces[i].substr(0, space) + "[" + pieces[i].substr(space) + "]"
                           : pieces[i];
  }
  return text;
}

/// "'word' (p_mt 0.100, p 0.900)" of one of the trace's candidates.
std::string described(const core::Json& probabilities, const std::string& text, bool ends) {
  return fmt::format("{} (p_mt {:.3f}, p {:.3f})",
                     ends ? "(end of sentence)" : fmt::format("'{}'", obs::printable(text)),
                     probabilities["p_mt"].get<double>(), probabilities["p"].get<double>());
}

std::string described_origin(const core::Json& trace, const core::Json& neighbour,
                             std::optional<std::size_t> position) {
  const auto& sentence = trace["sentences"][neighbour["sentence"].get<std::size_t>()];
  const auto corpus = sentence["corpus"].get<std::string>();
  return fmt::format("{}\n  {:>18} {}  (line {}{})\n", obs::printable(marked(sentence, position)),
                     "<-", obs::printable(sentence["source"].get<std::string>()),
                     sentence["line"].get<std::int64_t>(),
                     corpus.empty() ? "" : " of append." + corpus);
}

std::string token_as_text(const Case& shown, const core::Json& trace, std::int64_t k) {
  const auto& token = trace["target"]["tokens"][*shown.token];
  if (token.contains("forced")) return "  the model begins every translation with this token\n";
  const auto eos = trace["end_token"].get<core::TokenId>();
  const auto text_of = [&](core::TokenId id) {
    for (const auto& candidate : token["candidates"]) {
      if (candidate["token"] == id) return described(candidate, candidate["text"], id == eos);
    }
    return std::string("(nothing)");
  };
  std::string text = fmt::format("  token {}: ", *shown.token + 1);
  if (shown.compares()) text += fmt::format("base {}, ", text_of(shown.base[*shown.token]));
  text += fmt::format("kNN {}\n", text_of(shown.knn[*shown.token]));
  text += fmt::format("  its nearest of k = {} neighbours:\n  {:>9} {:>7}  datastore sentence\n", k,
                      "distance", "p_knn");
  if (token["neighbours"].empty()) {
    text += "  (none: the search was skipped, or found nothing)\n";
  }
  for (const auto& neighbour : token["neighbours"]) {
    text += fmt::format("  {:>9.2f} {:>7.3f}  {}", neighbour["distance"].get<double>(),
                        neighbour["share"].get<double>(),
                        described_origin(trace, neighbour, neighbour["position"]));
  }
  return text;
}

std::string as_text(const Case& shown, const core::Json& trace) {
  std::string text = fmt::format("Line {} of the test set\n  source     {}\n", shown.line + 1,
                                 obs::printable(shown.source));
  if (shown.has_reference) {
    text += fmt::format("  reference  {}\n", obs::printable(shown.reference));
  }
  text += fmt::format("  base       {}\n  kNN        {}\n", obs::printable(shown.base_text),
                      obs::printable(shown.knn_text));
  const auto& settings = trace["settings"];
  if (settings["mode"] == "memory") {
    if (trace["memory"].is_null()) return text + "  no datastore sentence was found\n";
    return text + fmt::format("  the nearest datastore sentence, distance {:.4g}:\n  {}",
                              trace["memory"]["distance"].get<double>(),
                              described_origin(trace, trace["memory"], std::nullopt));
  }
  if (!shown.token) return text + "  Both are the same, token by token.\n";
  return text + token_as_text(shown, trace, settings["k"].get<std::int64_t>());
}

}  // namespace

void inspect(runtime::StageContext& context, const Options& given) {
  context.log.set_stage("inspect");
  auto& comm = context.comm;
  const Folders folders(context.run_dir);
  Options options = given;  // with the settings that the translation was made with
  DecodeOptions decoding;
  TwoDecodings both;
  Case shown;
  std::optional<store::Manifest> made;
  std::unique_ptr<text::Tokenizer> tokenizer;
  std::unique_ptr<model::TranslationModel> model;
  comm::agree(comm, [&] {
    decoding_named(options, "base", options.inspect.base);
    decoding = decoding_named(options, "knn", options.inspect.knn);
    const FinishedDecoding of_knn(folders, options.inspect.knn);
    made = of_knn.manifest();
    adopt_settings(*made, context.overrides, options, decoding);
    if (!decoding.knn) throw core::InputError("inspect.knn names a decoding without kNN");
    tokenizer = open_tokenizer(options);
    model = open_search_model(context, options, decoding, *tokenizer);
    both = TwoDecodings::read({folders, options.inspect.base}, of_knn, *tokenizer);
    shown = choose_case(options.inspect, both);
  });
  const auto data = check_data(context, options, decoding);
  require_made_with(context, options, decoding, data, *made);

  DatastoreText text(comm, data, *tokenizer);
  TracedDecoding traced{options, decoding, *tokenizer, *model};
  traced.text = &text;
  std::optional<retrieval::KnnMixer> mixer;
  std::unique_ptr<retrieval::SubsetSearch> memory;
  Resident resident;
  if (decoding.mode == KnnMode::memory) {
    memory = open_memory(context, options, decoding, data, resident);
    traced.memory = memory.get();
  } else {
    mixer.emplace(open_mixer(context, options, decoding, data, resident));
    traced.mixer = &*mixer;
  }
  if (!options.inspect.html.empty()) return write_book(context, options, traced, both);

  std::string line = shown.source;
  comm::on_root(comm, [&] {
    if (options.preprocess.source.empty()) return;
    line = text::filter_lines(options.preprocess.source, {&shown.source, 1}).front();
  });
  line = comm.broadcast_string(line);
  TracedTranslation translation{shown.source,
                                tokenizer->source_frame().around(tokenizer->encode_source(line),
                                                                 model->info().source_positions),
                                shown.knn,
                                {}};
  if (shown.compares()) {
    translation.also[static_cast<std::int64_t>(*shown.token)] = shown.base[*shown.token];
  }
  const auto trace_of_line =
      trace(context, traced, {translation},
            {.neighbours = options.inspect.neighbours, .plane = options.inspect.plane})
          .front();
  if (!comm.is_root()) return;
  if (options.inspect.json) {
    obs::print(obs::printable_json(as_json(shown, options.inspect, trace_of_line).dump(1)) + "\n");
  } else {
    obs::print(as_text(shown, trace_of_line));
  }
}

}  // namespace knnseq::stages
