// Asymmetric distance computation by operators on tensors of any device.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// A product quantiser of 8 bits a sub-vector on a device, laid out for the two operations below.
struct AdcTorch {
  /// pq_centroids: fp32 [m, 256, dsub], of any device.
  AdcTorch(const at::Tensor& pq_centroids, Metric metric, at::Device device);

  std::int64_t m;
  std::int64_t dsub;
  bool inner_product;
  at::Tensor columns;  ///< fp32 [dsub, m, 256, 1], the centroids transposed
  /// int64 [m]: the sub-vectors by the partial sum that they go into (SubsetScan), then ascending.
  at::Tensor order;
  at::Tensor first_rows;  ///< int32 [m], of these sub-vectors' parts of a table
  at::Tensor sum_starts;  ///< int32 [4]: where in `order` the partial sums begin

  at::Device device() const { return columns.device(); }
};

/// Look-up tables of vectors that are compared with the same entries: fp32 [sets, columns, m·dsub]
/// → fp32 [sets, m, 256, columns]. Bitwise as AdcKernel::make_table(), since every operation
/// rounds by itself. Needs as much memory again as the tables.
at::Tensor adc_tables(const AdcTorch& adc, const at::Tensor& vectors);

/// Distances of the vectors to their entries: codes uint8 [sets, entries, m], sub-vectors in
/// adc.order → fp32 [sets, entries, columns]. A distance is four sums of table rows, and they are
/// added up as SubsetScan says, so that equal codes are equally far and distances are SubsetScan's.
/// Memory: about sets · entries · (9m + 24·columns) bytes.
at::Tensor adc_distances(const AdcTorch& adc, const at::Tensor& tables, const at::Tensor& codes);

}  // namespace knnseq::index
