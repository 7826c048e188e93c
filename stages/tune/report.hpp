// What tuning found, for people and for other programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "stages/tune/likelihoods.hpp"

namespace knnseq::stages {

/// A setting that the validation set was translated with; the model alone has none.
struct TunedCandidate {
  std::optional<TunedSetting> setting;
  double bleu = 0, chrf = 0;
  double brevity_penalty = 1;
};

/// The highest BLEU among those with a setting; ties go to the smaller λ.
const TunedCandidate& winner(const std::vector<TunedCandidate>& candidates);

/// A Markdown table of what was translated, and the choice.
std::string tune_table(const Likelihoods& likelihoods,
                       const std::vector<TunedCandidate>& candidates);

/// A line for each setting of the grid, and one for the model alone.
std::string tune_csv(const Likelihoods& likelihoods, const std::vector<TunedCandidate>& candidates);

/// The winner as a config: to be included.
std::string tuned_yaml(const Likelihoods& likelihoods,
                       const std::vector<TunedCandidate>& candidates);

core::Json tune_json(const Likelihoods& likelihoods, const std::vector<TunedCandidate>& candidates);

}  // namespace knnseq::stages
