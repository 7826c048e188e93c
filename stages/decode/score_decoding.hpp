// BLEU and chrF of what was decoded.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

struct Scores {
  double bleu = 0, chrf = 0;
  double brevity_penalty = 1;
  // For people only, since they depend on the machine or on what was done before:
  std::optional<double> tokens_per_second = {};
  std::optional<double> skipped = {};  ///< share of the queries; only with a gate
};

/// The first three, of the hypotheses and references in the folder of the finished `stage`, by the
/// tokenisation that evaluate uses; `command` makes them again. Throws core::InputError if they are
/// missing or damaged. Not collective.
Scores score_decoding(const Options& options, const std::filesystem::path& folder,
                      const std::string& stage, const std::string& command);

}  // namespace knnseq::stages
