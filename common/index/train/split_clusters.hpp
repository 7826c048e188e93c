// What k-means does about clusters without points.
#pragma once

#include <cstdint>
#include <span>

#include "core/random.hpp"
#include "core/views.hpp"

namespace knnseq::index {

/// Gives every empty cluster half of one that is drawn with probability proportional to its size:
/// both centroids move apart a little (as faiss's Clustering does). counts [k] are updated.
/// Returns the number of clusters that were empty.
std::int64_t split_empty_clusters(core::MatrixView<float> centroids, std::span<std::int64_t> counts,
                                  core::Random& random);

}  // namespace knnseq::index
