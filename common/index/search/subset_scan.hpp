// Some small sets of product-quantiser codes, and the search of each query in one of them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"
#include "index/core/top_k.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"
#include "index/simd/adc_kernel.hpp"

namespace knnseq::index {

/// What the codes stand for, and how they are compared.
struct SubsetCodebook {
  const ScanCentroids& centroids;  ///< of a codebook without lists
  Metric metric = Metric::l2;
  const AdcKernel* kernel = nullptr;  ///< the fastest that this processor can run unless given
};

/// Asymmetric distance computation (Jégou et al., PAMI 2011): a query has a look-up table [m, 256]
/// of fp32 numbers, the contribution of each centroid of each sub-vector to the distance (squared
/// L2 distance, or inner product with its sign turned); an entry's distance is the sum over its
/// code: sub-vector s is added to partial sum s mod 4 in ascending s, and then (0 + 1) + (2 + 3).
/// It depends on query and code alone, so results do not depend on the batch, the threads, the
/// instruction set or the order of the entries.
///
/// How: sums of the table rounded down to bytes, made 64 entries at a time, bound the distance from
/// below (as in IvfPqScan), and are less by a known slack at most; only entries whose bound is
/// under the k-th smallest plus that slack are measured. Not collective. Codes are kept twice, in
/// blocks for the sums and in rows for measuring.
class SubsetScan {
 public:
  /// Room for sets of these sizes. The centroids must outlive this.
  SubsetScan(const SubsetCodebook& codebook, std::span<const std::int64_t> sizes);

  /// Adds entries to a set: codes [n, m] row-major, ids [n] (packed entry ids).
  void append(std::int64_t set, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids);

  /// The k best entries of each query in its set, by (distance, entry number). rotated: fp32
  /// [q, d_out]; sets [q]. Entries whose distance is infinite or not a number are not found.
  TopK search(const at::Tensor& rotated, std::span<const std::int64_t> sets, std::int64_t k) const;

  std::int64_t entries() const { return lists_.entries(); }
  std::int64_t bytes() const {  ///< of memory
    return lists_.bytes() + static_cast<std::int64_t>(rows_.size());
  }

 private:
  SubsetCodebook codebook_;
  ScanLists lists_;
  std::vector<std::int64_t> first_rows_;  ///< [sets + 1]
  std::vector<std::uint8_t> rows_;        ///< [entries, m]
};

}  // namespace knnseq::index
