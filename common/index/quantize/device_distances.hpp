// Distances of vectors to chosen centroids, on any device.
#pragma once

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// Distances of each row of rows [n, d] fp32 to the centroids [k, d] fp32 that are its own, lists
/// int64 [n, lists a row]: squared L2 distances, or inner products with their sign turned, fp32
/// [n, lists a row]. Summed in fp64 and rounded once. The gathered centroids are in memory, and as
/// many terms in fp64.
at::Tensor device_distances(const at::Tensor& rows, const at::Tensor& centroids,
                            const at::Tensor& lists, Metric metric);

}  // namespace knnseq::index
