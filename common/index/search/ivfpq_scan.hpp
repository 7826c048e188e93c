// Inverted lists of product-quantiser codes in memory, and the search in them.
#pragma once

#include <cstdint>
#include <span>

#include "index/search/list_index.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"
#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

struct ScanOptions {
  bool inner_product = false;          ///< how distances are computed, see IvfPqScan
  const ScanKernel* kernel = nullptr;  ///< the fastest that this processor can run unless given
};

/// An exact scan of IVFPQ lists on the CPU. The distance of an entry with residual r̂ (decoded) in
/// the list with centroid c from query q is, in fp32 and in this order,
///   L2:            (probe distance + term) + ⟨−2q, r̂⟩, term = ‖r̂‖² + ⟨2c, r̂⟩, probe distance ‖q −
///   c‖² inner product: probe distance + ⟨−q, r̂⟩, probe distance −⟨q, c⟩
/// with ⟨·,·⟩ summed as ScanCentroids::dot says. It depends on query, probe and code alone; so
/// results depend neither on the batch, the threads, the instruction set, nor on where entries are
/// kept.
///
/// How: each query has a table of 8-bit numbers, its products with the PQ centroids rounded down
/// (for that the term must be the entry's and not the query's). Sums of table entries, made 64
/// entries at a time by byte permutations, bound the distance from below; only entries whose bound
/// is under the k-th best distance so far are measured. (Byte tables and transposed blocks as a
/// filter: André, Kermarrec, Le Scouarnec, "Cache locality is not enough", VLDB 2015, and faiss's
/// fast scan; unlike there, codes keep 8 bits and nothing is lost.) The nearest lists of a query
/// come first; then all queries of a thread go through the lists together, so that a list is read
/// once. Not collective.
class IvfPqScan final : public ListIndex {
 public:
  /// Room for lists of these sizes [nlist]. Copies what it needs of the codebook but the coarse
  /// centroids, which it shares.
  IvfPqScan(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
            ScanOptions options = {});

  /// Puts entries at the end of what `list` holds so far: codes [n, m] row-major, ids [n] (packed
  /// entry ids). Calls for different lists may run at the same time.
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override;

  /// The k best entries of each query among its probed lists, exactly, by (distance, entry number).
  /// rotated: fp32 [q, d_out], q may be 0. No list may be probed twice by one query. Entries whose
  /// distance is infinite or not a number are not found.
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const override;

  std::int64_t entries() const override { return lists_.entries(); }
  std::int64_t bytes() const override {
    return lists_.bytes() + centroids_.bytes();
  }  ///< of memory

 private:
  ScanOptions options_;
  at::Tensor coarse_centroids_;
  ScanCentroids centroids_;
  ScanLists lists_;
};

}  // namespace knnseq::index
