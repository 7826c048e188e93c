// Product-quantiser codes by libtorch's operators or the device's kernel.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::index {

/// Codes uint8 [n, m] of x fp32 [n, m · dsub] under centroids fp32 [m, count ≤ 256, dsub]: for each
/// sub-vector the nearest centroid, ties to the lowest; all on one device. On a CUDA device by
/// gpu::pq_assign, else by device_pq_codes_by_products().
at::Tensor device_pq_codes(const at::Tensor& x, const at::Tensor& centroids);

/// The same by batched matrix products, on any device.
at::Tensor device_pq_codes_by_products(const at::Tensor& x, const at::Tensor& centroids);

/// The vectors, fp32 [n, m · dsub], that codes stand for.
at::Tensor device_pq_decode(const at::Tensor& codes, const at::Tensor& centroids);

/// Numbers of the centroids that codes [n, m] name when those of all sub-vectors are counted
/// through: int64 [n, m], s · count + code for sub-vector s.
at::Tensor device_pq_clusters(const at::Tensor& codes, std::int64_t count);

}  // namespace knnseq::index
