#include "stages/evaluate/decoding_scores.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "metrics/ter.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// Statistics of sentences, and the score of their sum.
template <class Statistics>
class SummedScores final : public SentenceScores {
 public:
  using Score = double (*)(const Statistics& sum);
  SummedScores(std::vector<Statistics> of_sentence, Score score)
      : of_sentence_(std::move(of_sentence)), score_(score) {}

  double total() const override {
    Statistics sum;
    for (const auto& statistics : of_sentence_) sum += statistics;
    return score_(sum);
  }
  std::vector<double> of_resamples(const metrics::Resamples& resamples) const override {
    return metrics::score_resamples<Statistics>(of_sentence_, resamples, score_);
  }

 private:
  std::vector<Statistics> of_sentence_;
  Score score_;
};

template <class Statistics>
std::shared_ptr<const SentenceScores> summed(std::vector<Statistics> of_sentence,
                                             double (*score)(const Statistics& sum)) {
  return std::make_shared<SummedScores<Statistics>>(std::move(of_sentence), score);
}

template <class OfLine>
auto map_lines(const ScoredTexts& texts, const OfLine& of_line) {
  std::vector<decltype(of_line(std::string(), std::string()))> values;
  for (std::size_t i = 0; i < texts.hypotheses.size(); ++i) {
    values.push_back(of_line(texts.hypotheses[i], texts.references[i]));
  }
  return values;
}

DecodingScore bleu_of(const EvaluateOptions& options, const ScoredTexts& texts) {
  const auto tokenizer = metrics::make_bleu_tokenizer(options.tokenization());
  const auto ours = tokenizer->tokenize(texts.hypotheses);
  const auto theirs = tokenizer->tokenize(texts.references);
  std::vector<metrics::BleuStatistics> of_sentence;
  metrics::BleuStatistics sum;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    of_sentence.push_back(metrics::bleu_statistics(ours[i], theirs[i]));
    sum += of_sentence.back();
  }
  return {"bleu",
          "BLEU",
          metrics::bleu_signature(tokenizer->signature()),
          2,
          summed<metrics::BleuStatistics>(
              std::move(of_sentence),
              [](const metrics::BleuStatistics& of) { return metrics::bleu_score(of).score; }),
          metrics::bleu_score(sum).brevity_penalty};
}

/// A mean over sentences.
struct MeanStatistics {
  double sum = 0;
  std::int64_t count = 0;

  MeanStatistics& operator+=(const MeanStatistics& other) {
    sum += other.sum;
    count += other.count;
    return *this;
  }
};

double mean_of(const MeanStatistics& s) {
  return s.count == 0 ? 0 : s.sum / static_cast<double>(s.count);
}

}  // namespace

DecodingScore score_of(ScoreKind kind, const EvaluateOptions& options, const ScoredTexts& texts) {
  if (kind == ScoreKind::bleu) return bleu_of(options, texts);
  const std::string key(core::name_of(kind));
  if (kind == ScoreKind::ter) {
    const auto of_line = [](const std::string& hypothesis, const std::string& reference) {
      return metrics::ter_statistics(hypothesis, reference);
    };
    return {key,
            "TER",
            metrics::ter_signature(),
            2,
            summed<metrics::TerStatistics>(map_lines(texts, of_line), metrics::ter_score),
            {}};
  }
  const bool with_words = kind == ScoreKind::chrf_pp;
  const auto which = with_words ? metrics::ChrfKind::chrf_pp : metrics::ChrfKind::chrf;
  const auto of_line = [&](const std::string& hypothesis, const std::string& reference) {
    return metrics::chrf_statistics(hypothesis, reference, which);
  };
  return {key,
          with_words ? "chrF++" : "chrF",
          metrics::chrf_signature(which),
          2,
          summed<metrics::ChrfStatistics>(map_lines(texts, of_line), metrics::chrf_score),
          {}};
}

std::optional<DecodingScore> read_external(obs::Log& log, const ExternalScores& external,
                                           const std::string& decoding, std::int64_t sentences) {
  const auto file = external.file_of(decoding);
  if (!std::filesystem::exists(file)) {
    log.warn(
        fmt::format("{}: no such file, so {} has no {}", file.string(), decoding, external.name));
    return std::nullopt;
  }
  std::vector<MeanStatistics> of_sentence;
  for (const auto& line : text::read_lines(file)) {
    double value = 0;
    const auto* const end = line.data() + line.size();
    const auto [rest, error] = std::from_chars(line.data(), end, value);
    if (error != std::errc() || rest != end || !std::isfinite(value)) {
      throw core::InputError(fmt::format("{}:{}", file.string(), of_sentence.size() + 1),
                             fmt::format("'{}' is not a number", line));
    }
    of_sentence.push_back({value, 1});
  }
  if (std::ssize(of_sentence) != sentences) {
    throw core::InputError(file, fmt::format("has {} lines, the test set of {} {}",
                                             of_sentence.size(), decoding, sentences));
  }
  return DecodingScore{external.name,
                       external.name,
                       "",
                       4,
                       summed<MeanStatistics>(std::move(of_sentence), mean_of),
                       {}};
}

}  // namespace knnseq::stages
