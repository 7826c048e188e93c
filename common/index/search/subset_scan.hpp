// Some small sets of product-quantiser codes, and the search of each query in one of them: on the
// CPU in subset_scan_cpu.cpp, by tensors of any device in subset_scan_torch.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "core/types.hpp"
#include "index/core/index_spec.hpp"
#include "index/core/top_k.hpp"
#include "index/search/adc_torch.hpp"
#include "index/search/query_slots.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

/// What the codes stand for, and how they are compared.
struct SubsetCodebook {
  const ScanCentroids& centroids;  ///< of a codebook without lists
  Metric metric = Metric::l2;
  const SimdKernels* kernels = nullptr;  ///< the best of this CPU unless given
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
/// under the k-th smallest plus that slack are measured. Their codes lie apart in the blocks that
/// the sums are made of, but reading them there costs no more than a second copy of all codes by
/// rows would, and begins sooner. Not collective.
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
  std::int64_t bytes() const { return lists_.bytes(); }  ///< of memory

 private:
  SubsetCodebook codebook_;
  ScanLists lists_;
};

/// Finds what SubsetScan finds, with the same distances bit by bit for the same rotated queries, by
/// operators on tensors of any device: look-up tables of all queries (adc_tables()), distances of a
/// tile of each set's entries (adc_distances()), and the k best of it and of those before
/// (distance_keys()). Entries are in the order of their numbers, so that the position in the set
/// decides ties.
///
/// Memory: m + 8 bytes an entry permanently, and `workspace` bytes while searching; however small
/// it is, at least the queries of one set (up to 32) and 64 entries a set are worked on at a time.
/// Not collective.
class SubsetScanTorch {
 public:
  static constexpr std::int64_t usual_workspace = std::int64_t{512} << 20;

  /// Room for sets of these sizes, below 2^31. `adc` must outlive this.
  SubsetScanTorch(const AdcTorch& adc, std::span<const std::int64_t> sizes,
                  std::int64_t workspace = usual_workspace);

  /// Adds entries to a set, in ascending order of their numbers over all calls: codes [n, m]
  /// row-major, ids [n] (packed entry ids). They stay on the host until finish().
  void append(std::int64_t set, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids);

  /// Copies everything to the device, from pinned memory and without waiting. Sets must be full.
  void finish();

  /// The k best entries of each query in its set, by (distance, entry number). rotated: fp32
  /// [q, d_out] on the device; sets [q]. Waits for nothing: the result is on the device. Entries
  /// whose distance is infinite or not a number are not found.
  TopK search(const at::Tensor& rotated, std::span<const std::int64_t> sets, std::int64_t k) const;

  std::int64_t entries() const { return first_rows_.back(); }
  std::int64_t bytes() const;  ///< of the device's memory, without the workspace

 private:
  /// A pass and what the device has to know of it.
  struct Work {
    const SlotPass& pass;
    at::Tensor queries;     ///< int64 [slots · columns]
    at::Tensor first_rows;  ///< int64 [slots, 1]
    at::Tensor sizes;       ///< int64 [slots, 1]
  };
  struct Plan {
    std::vector<Work> works;
    at::Tensor places;  ///< int64 [q]: of each query among the results of all passes
  };
  std::int64_t size(std::int64_t set) const;
  Plan send(const std::vector<SlotPass>& passes, std::int64_t queries) const;
  TopK search_pass(const at::Tensor& rotated, const Work& work, std::int64_t k) const;
  at::Tensor tile_keys(const at::Tensor& tables, const Work& work, std::int64_t slots,
                       core::Range positions) const;
  std::int64_t tile_width(const SlotPass& pass) const;

  const AdcTorch& adc_;
  std::int64_t workspace_;
  std::vector<std::int64_t> sizes_;       ///< [sets]
  std::vector<std::int64_t> first_rows_;  ///< [sets + 1]
  std::vector<std::int64_t> appended_;    ///< [sets]
  bool finished_ = false;
  // On the host until finish(), then on the device.
  at::Tensor codes_;  ///< uint8 [entries, m]; on the device in adc.order
  at::Tensor ids_;    ///< int64 [entries]
};

}  // namespace knnseq::index
