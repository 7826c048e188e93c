// Systems against each other on the same test set.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "metrics/bootstrap.hpp"
#include "stages/evaluate/scored_decoding.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// One score of one system.
struct ScoreFigures {
  std::string key, name, signature;           ///< as DecodingScore's
  int digits = 2;                             ///< to be shown
  double score = 0;                           ///< on the whole test set
  std::optional<metrics::Interval> interval;  ///< without resamples: none
  std::optional<double> p_value;              ///< against the baseline; none of the baseline itself
};

struct ComparedSystem {
  std::string name;
  std::string settings;  ///< "kNN: k 16, T 10, lambda 0.5, nprobe 32", and what differs
  DecodingMachine machine;
  std::int64_t sentences = 0;
  std::string baseline;    ///< name of the system it was compared with
  bool identical = false;  ///< another than the baseline, with the same translations
  std::vector<ScoreFigures> scores;
  std::optional<double> brevity_penalty;  ///< of BLEU
  std::optional<double> tokens_per_second;

  /// The score of this key, or null.
  const ScoreFigures* score(const std::string& key) const;
};

/// Scores all systems; those of one test set are compared with its baseline: the one named in
/// options, else the first that used no datastore, else the first. In the order given. Identical
/// translations have p-values of 1: no resample differs by more than 0 then, so that the
/// bootstrap would give the smallest p-value there is, as sacrebleu does.
std::vector<ComparedSystem> compare_systems(const std::vector<ScoredDecoding>& systems,
                                            const EvaluateOptions& options);

}  // namespace knnseq::stages
