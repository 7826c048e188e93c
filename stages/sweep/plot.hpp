// A sweep as a picture.
#pragma once

#include <string>

#include "stages/sweep/sweep_row.hpp"

namespace knnseq::stages {

/// An SVG document: recall at the largest k over microseconds a query (logarithmic), a line for
/// each index (colour) over each share (dashes), a point for each setting, which tells its figures
/// when pointed at.
std::string sweep_plot(const SweepResult& result);

}  // namespace knnseq::stages
