// A sweep's results for people and for other programs.
#pragma once

#include <string>

#include "stages/sweep/sweep_row.hpp"

namespace knnseq::stages {

/// A Markdown table, one line a setting, with columns that line up; then a line for each share:
/// its fastest setting that finds 0.9 of the neighbours, or the one that finds most.
std::string sweep_table(const SweepResult& result);

/// One line a setting, with a header; texts are quoted if they must be.
std::string sweep_csv(const SweepResult& result);

}  // namespace knnseq::stages
