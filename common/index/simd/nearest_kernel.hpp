// The search for the nearest centroids.
#pragma once

#include <cstdint>

#include "core/instruction_set.hpp"

namespace knnseq::index {

/// Some rows, and the centroids they are compared with. The score of a row and a centroid is
/// norms[centroid] − 2 · their inner product.
struct NearestPanel {
  const float* columns = nullptr;  ///< [d, panel rows]: the rows transposed
  std::int64_t d = 0;
  const float* centroids = nullptr;    ///< [k, d]
  const float* norms = nullptr;        ///< [k]
  const std::int32_t* list = nullptr;  ///< centroids to look at, ascending
  std::int64_t count = 0;              ///< of them
  float* best = nullptr;               ///< [panel rows]: scores so far, lowered in place
  std::int32_t* nearest = nullptr;     ///< [panel rows]: their centroids
};

/// Some rows, and centroids that lie one after another.
struct ScorePanel {
  const float* columns =
      nullptr;            ///< [d, rows]: the rows transposed; others up to `rows` are zeros
  std::int64_t rows = 0;  ///< 1, 2 or 4 registers of them: see score_panel_rows()
  std::int64_t d = 0;
  const float* centroids = nullptr;  ///< [count, d]
  const float* norms = nullptr;      ///< [count]
  std::int64_t count = 0;
  std::int64_t groups = 0;
  float* scores = nullptr;  ///< out: [count, rows]; infinity for what is not a number
  float* minima = nullptr;  ///< out: [groups, rows]: of the centroids c, c + groups, …; or none
  const float* limits = nullptr;  ///< [rows], of mark()
  std::uint8_t* marks =
      nullptr;  ///< out: [count, rows], not 0 where a score is not above the limit
};

struct NearestKernel {
  /// Scores lower than the best so far replace it, in the order of the list. A score depends on its
  /// row and centroid alone: products are summed in the order of the components, in fp32.
  void (*scan)(const NearestPanel& panel);
  std::int64_t panel_rows;
  /// Writes scores and minima; sums as in scan().
  void (*score)(const ScorePanel& panel);
  /// Writes the marks of scores.
  void (*mark)(const ScorePanel& panel);
  std::int64_t register_rows;  ///< rows in a register

  /// How many rows a panel for so many has, which are at most panel_rows.
  std::int64_t score_panel_rows(std::int64_t rows) const {
    std::int64_t wide = register_rows;
    while (wide < rows && wide < panel_rows) wide *= 2;
    return wide;
  }
};

/// nearest_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
NearestKernel nearest_kernel();

}  // namespace knnseq::index
