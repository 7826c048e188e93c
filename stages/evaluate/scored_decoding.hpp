// One finished decoding, scored sentence by sentence.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stages/evaluate/decoding_scores.hpp"

namespace knnseq::stages {

/// A setting that a decoding was made with, for people.
struct DecodingSetting {
  std::string name;   ///< "nprobe"
  std::string value;  ///< "32"
  /// What is usually the same for all: told only if two decodings differ in it.
  bool minor = false;

  bool operator==(const DecodingSetting&) const = default;
};

/// On what a decoding was made, by which its speed came about.
struct DecodingMachine {
  std::int64_t ranks = 0;  ///< 0: it is not known
  std::int64_t threads = 0;
  std::string device;
  std::string processors;  ///< of its hosts, each once; empty: not known

  bool operator==(const DecodingMachine&) const = default;
};

struct ScoredDecoding {
  std::string name;
  std::string identity;                   ///< of the decoding's manifest
  std::string kind;                       ///< "kNN"
  std::vector<DecodingSetting> settings;  ///< that have an effect on it
  DecodingMachine machine;
  bool knn = false;          ///< a datastore was used
  std::string test_set;      ///< equal if source and references are
  std::string translations;  ///< fingerprint of hyp.txt
  std::int64_t sentences = 0;
  std::vector<DecodingScore> scores;  ///< in the order of the config; external ones last
  std::optional<double> brevity_penalty;
  /// Tokens written (EOS counted) by the time all ranks took to translate, of the run that finished
  /// it. None if no record of it is there.
  std::optional<double> tokens_per_second;
};

/// Reads run_dir/decode/<name> and its record. Warns of text that is not plain, that BLEU's
/// tokenisation does not split, or that external scores are missing for. Throws core::InputError if
/// it is not finished or not text, or external scores are not a number for each line.
ScoredDecoding score_decoding(obs::Log& log, const Options& options, const std::string& name);

}  // namespace knnseq::stages
