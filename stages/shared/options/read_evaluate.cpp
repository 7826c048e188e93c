#include "stages/shared/options/read_evaluate.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace knnseq::stages {

using config::Section;

namespace {

/// The kinds of scores, each once, in the order of their enum.
std::vector<ScoreKind> read_scores(const Section& section) {
  const auto names = section.texts("scores");
  if (names.empty()) return EvaluateOptions().scores;
  for (const auto& name : names) {
    if (core::value_named<ScoreKind>(name)) continue;
    section.problem("scores", fmt::format("'{}' must be one of: {}", name,
                                          fmt::join(core::all_names<ScoreKind>(), ", ")));
  }
  std::vector<ScoreKind> kinds;
  for (const auto& name : core::all_names<ScoreKind>()) {
    if (std::ranges::find(names, name) == names.end()) continue;
    kinds.push_back(*core::value_named<ScoreKind>(name));
  }
  return kinds;
}

std::vector<ExternalScores> read_external(const Section& section,
                                          const std::vector<DecodeOptions>& decode) {
  std::vector<ExternalScores> all;
  for (const auto& [name, file] : section.named_texts("external")) {
    const bool plain = !name.empty() && std::ranges::all_of(name, [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '-' || c == '_';
    });
    if (!plain) section.problem("external", "names must be of letters, digits, '-' and '_'");
    if (core::value_named<ScoreKind>(name)) {
      section.problem("external", "'" + name + "' is a score that evaluate makes itself");
    }
    const auto scored = std::ranges::count_if(
        decode, [](const DecodeOptions& item) { return item.reference.has_value(); });
    if (scored > 1 && file.find("{}") == file.npos) {
      section.problem("external", fmt::format("{}: {} must hold {{}}, which stands for the name of "
                                              "the item of decode: there are several",
                                              name, file));
    }
    all.push_back({name, file});
  }
  return all;
}

}  // namespace

EvaluateOptions read_evaluate(const Section& section, const std::vector<DecodeOptions>& decode) {
  EvaluateOptions options;
  options.language = section.text("language", "");
  auto tokenizations = core::all_names<metrics::Tokenization>();
  tokenizations.emplace_back("auto");
  options.tokenize =
      core::value_named<metrics::Tokenization>(section.choice("tokenize", tokenizations, "auto"));
  options.spm_model = section.path("spm_model", "");
  options.tokenize_command = section.text("tokenize_command", "");
  options.scores = read_scores(section);
  options.external = read_external(section, decode);
  options.baseline = section.text("baseline", "");
  const bool known = std::any_of(decode.begin(), decode.end(), [&](const DecodeOptions& item) {
    return item.reference && item.name == options.baseline;
  });
  if (!options.baseline.empty() && !known) {
    section.problem("baseline", "names no item of decode with a reference");
  }
  options.resamples = section.integer("resamples", options.resamples, {0, 1'000'000});
  options.seed = static_cast<std::uint64_t>(
      section.integer("seed", static_cast<std::int64_t>(options.seed), seed_bounds));
  return options;
}

std::filesystem::path ExternalScores::file_of(const std::string& decoding) const {
  std::string name = file;
  if (const auto at = name.find("{}"); at != name.npos) name.replace(at, 2, decoding);
  return name;
}

metrics::BleuTokenization EvaluateOptions::tokenization() const {
  return {tokenize.value_or(metrics::usual_tokenization(language)), spm_model, tokenize_command};
}

}  // namespace knnseq::stages
