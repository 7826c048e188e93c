// Nearest centroids by matrix products in bf16, exact nevertheless, on any device.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"
#include "index/quantize/score_bounds.hpp"

namespace knnseq::index {

/// Matrix products of rounded vectors bound how near the centroids of each group can be
/// (ScoreBounds); the group with the lowest bound is measured, and then every other one that could
/// hold a centroid as near. So the result is that of measuring all centroids, whatever the products
/// were rounded to.
class DeviceNearest {
 public:
  /// centroids: fp32 [k, d], finite, contiguous. dtype: what products are made of, bf16 or fp32.
  DeviceNearest(const at::Tensor& centroids, Metric metric, at::ScalarType dtype = at::kBFloat16);

  /// For each row of x [n, d] fp32 the centroid with the lowest distance as device_distances() has
  /// it, fp32 summed in fp64; ties to the lowest: int32 [n], all on one device. A row's result does
  /// not depend on the others, but for the order in which the device sums in fp64. Waits for the
  /// device once every 4,096 rows (fewer from 65,537 centroids on), and has 256 MiB of bounds and
  /// products in memory. Where `measured` is given, the number of distances that were measured is
  /// added to it.
  at::Tensor nearest(const at::Tensor& x, std::int64_t* measured = nullptr) const;

 private:
  /// Lowers best [n], all_distance_keys() of (distance, centroid), to the lowest of the groups
  /// [pairs] of rows x that `rows` [pairs] names, both int64.
  void measure(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& groups,
               at::Tensor& best) const;

  at::Tensor centroids_;
  Metric metric_;
  ScoreBounds bounds_;
};

}  // namespace knnseq::index
