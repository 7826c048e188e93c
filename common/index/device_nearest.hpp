// Nearest centroids by matrix products, on any device.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::index {

/// For each row of x [n, d] fp32 the centroid [k, d] with the lowest norms [k] − 2 · inner product:
/// int32 [n], ties to the lowest, all on one device. Products are made in tiles with a running
/// minimum: 256 MiB of them are in memory. They round as the device's matrix library does for so
/// many rows (4,096 at a time, the last tile fewer).
at::Tensor device_nearest(const at::Tensor& x, const at::Tensor& centroids,
                          const at::Tensor& norms);

}  // namespace knnseq::index
