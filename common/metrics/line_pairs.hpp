// Summing statistics over a test set. Private to this module.
#pragma once

#include <span>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::metrics {

/// Adds up what `of_line` gives for each hypothesis and its reference. Throws InputError if the
/// numbers of lines differ or, naming the line, if one is not valid text.
template <class Statistics, class OfLine>
Statistics sum_over_lines(std::span<const std::string> hypotheses,
                          std::span<const std::string> references, OfLine of_line) {
  if (hypotheses.size() != references.size()) {
    throw core::InputError(
        fmt::format("{} hypotheses, but {} references", hypotheses.size(), references.size()));
  }
  Statistics sum;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    try {
      sum += of_line(hypotheses[i], references[i]);
    } catch (const core::InputError& e) {
      throw core::InputError(fmt::format("line {}: {}", i + 1, e.what()));
    }
  }
  return sum;
}

}  // namespace knnseq::metrics
