// The lists that queries visit, found by matrix products on any device.
#pragma once

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"
#include "index/core/probes.hpp"

namespace knnseq::index {

/// The `width` ≤ k nearest of the centroids [k, d] to each query [q, d] fp32 by (distance, list),
/// nearest first, all on one device; norms [k] as CentroidScan has them. A shortlist by matrix
/// products is measured again: distances are summed in fp64 and rounded to fp32.
Probes device_probes(const at::Tensor& queries, const at::Tensor& centroids,
                     const at::Tensor& norms, std::int64_t width, Metric metric);

}  // namespace knnseq::index
