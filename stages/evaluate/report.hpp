// The comparison for people and for other programs.
#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"
#include "stages/evaluate/comparison.hpp"

namespace knnseq::stages {

/// A Markdown table with a line for each system, and below it what the figures are.
std::string comparison_table(const std::vector<ComparedSystem>& systems,
                             const EvaluateOptions& options);

/// A line for each system, with a header; empty cells if there is no figure, and "true" in the
/// last one if the translations are the baseline's.
std::string comparison_csv(const std::vector<ComparedSystem>& systems);

core::Json comparison_json(const std::vector<ComparedSystem>& systems,
                           const EvaluateOptions& options);

}  // namespace knnseq::stages
