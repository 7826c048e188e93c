// What tuning found, for people and for other programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stages/decode/score_decoding.hpp"
#include "stages/tune/likelihoods.hpp"
#include "stages/tune/policies.hpp"

namespace knnseq::stages {

/// What the validation set was translated with: the model alone, or with neighbours.
struct TunedCandidate {
  std::optional<TunedSetting> setting = {};   ///< none: the model alone
  std::optional<TunedPolicy> policy = {};     ///< none: fixed, as the setting says
  std::optional<double> length_penalty = {};  ///< none: the config's
  struct Gate {
    std::filesystem::path file;
    double share = 0, skip = 0;  ///< as in TunedGate::Setting
  };
  std::optional<Gate> gate = {};  ///< none: every query is searched
  bool other_width = false;       ///< the winner at another search width, to see what it gives
  Scores scores = {};
  std::optional<Scores> general = {};  ///< of tune.general, which only some translate

  /// "base", "k16-T20-lambda0.5-nprobe32", "robust-k16-nprobe32": also a folder's name.
  std::string name(const std::string& breadth_name) const;
  /// What decides between candidates: BLEU or chrF; with general text the mean of both texts.
  double decisive(TuneMetric by) const;
};

struct TuneResult {
  Likelihoods likelihoods;
  std::optional<TunedPolicies> policies = {};
  std::vector<TunedCandidate> candidates = {};  ///< the model alone first
  TuneMetric by = TuneMetric::bleu;
};

/// "BLEU", "mean BLEU" or the same of chrF: what decisive() gives.
std::string score_name(const TuneResult& result);

/// The best by decisive() among the settings and policies (with general text: among those that have
/// translated it); ties go to the smaller λ, then to the one that was tried first.
const TunedCandidate& winner(const TuneResult& result);

/// The winner at the smallest search width that costs at most 0.1 BLEU (chrF) in each text against
/// the best of them.
const TunedCandidate& narrowest(const TuneResult& result);

/// narrowest() with the gate that skips most at a cost of at most 0.1 BLEU (chrF) in each text;
/// narrowest() itself if no gate does, or none was tried.
const TunedCandidate& recommended(const TuneResult& result);

/// A Markdown table of what was translated, the policies' likelihoods, and the choice.
std::string tune_table(const TuneResult& result);

/// A line for each setting of the grid, and one for the model alone.
std::string tune_csv(const TuneResult& result);

/// What is recommended as a config: to be included.
std::string tuned_yaml(const TuneResult& result);

core::Json tune_json(const TuneResult& result);

}  // namespace knnseq::stages
