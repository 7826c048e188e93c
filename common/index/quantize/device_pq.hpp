// Product-quantiser codes on any device.
#pragma once

#include <ATen/ATen.h>

#include "index/sample/cluster_sums.hpp"

namespace knnseq::index {

/// A product quantiser on a device, at most 256 centroids a sub-vector.
struct DevicePq {
  /// centroids: fp32 [m, count, dsub], of any device.
  DevicePq(const at::Tensor& pq_centroids, at::Device device);

  at::Tensor centroids;
  at::Tensor packed;  ///< PqTables::packed
};

/// Codes uint8 [n, m] of x fp32 [n, m · dsub], contiguous: for each sub-vector the nearest
/// centroid, ties to the lowest. Where `sums` is given, every sub-vector is added to the sum of its
/// centroid: cluster s · count + code for sub-vector s. On CUDA devices by a kernel of ours with
/// the CPU kernels' rounding, elsewhere by matrix products.
at::Tensor device_pq_assign(const at::Tensor& x, const DevicePq& pq, ClusterSums* sums = nullptr);

/// The vectors, fp32 [n, m · dsub], that codes stand for.
at::Tensor device_pq_decode(const at::Tensor& codes, const at::Tensor& centroids);

}  // namespace knnseq::index
