// The scores of one translation: those that knnseq makes, and those of other programs.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "metrics/bootstrap.hpp"
#include "obs/log.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// A score of one translation, sentence by sentence, whatever it is made of.
class SentenceScores {
 public:
  virtual ~SentenceScores() = default;
  virtual double total() const = 0;  ///< of the whole test set
  virtual std::vector<double> of_resamples(const metrics::Resamples& resamples) const = 0;
};

struct DecodingScore {
  std::string key;        ///< "bleu", for programs
  std::string name;       ///< "BLEU"
  std::string signature;  ///< sacrebleu's; empty for external scores
  int digits = 2;         ///< to be shown
  std::shared_ptr<const SentenceScores> scores;
  std::optional<double> brevity_penalty = {};  ///< of BLEU
};

/// Translations and their references, line by line.
struct ScoredTexts {
  const std::vector<std::string>& hypotheses;
  const std::vector<std::string>& references;
};

/// Throws core::InputError if BLEU's tokeniser cannot be made.
DecodingScore score_of(ScoreKind kind, const EvaluateOptions& options, const ScoredTexts& texts);

/// The mean of a file of numbers, one for each sentence. Nothing, with a warning, if the file is
/// not there: other programs make it only after decode. Throws core::InputError naming file and
/// line if one is not a number, or if there are more or fewer than sentences.
std::optional<DecodingScore> read_external(obs::Log& log, const ExternalScores& external,
                                           const std::string& decoding, std::int64_t sentences);

}  // namespace knnseq::stages
