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

struct NearestKernel {
  /// Scores lower than the best so far replace it, in the order of the list. A score depends on its
  /// row and centroid alone: products are summed in the order of the components, in fp32.
  void (*scan)(const NearestPanel& panel);
  std::int64_t panel_rows;
};

/// nearest_kernel.cpp, compiled for this instruction set.
template <core::InstructionSet set>
NearestKernel nearest_kernel();

}  // namespace knnseq::index
