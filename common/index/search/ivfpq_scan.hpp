// Inverted lists of product-quantiser codes in memory, and the search in them: on the CPU in
// ivfpq_scan_cpu.cpp, in the memory of a device in ivfpq_scan_torch.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gpu/scan_launcher.hpp"
#include "index/search/list_index_torch.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

struct ScanOptions {
  bool inner_product = false;                   ///< how distances are computed, see IvfPqScan
  const SimdKernels* kernels = nullptr;         ///< the best of this CPU unless given
  std::shared_ptr<std::byte> memory = nullptr;  ///< of ScanLists; its own unless given
};

/// An exact scan of IVFPQ lists on the CPU. The distance of an entry with residual r̂ (decoded) in
/// the list with centroid c from query q is, in fp32 and in this order,
///   L2:            (probe distance + term) + ⟨−2q, r̂⟩, term = ‖r̂‖² + ⟨2c, r̂⟩, probe distance ‖q −
///   c‖² inner product: probe distance + ⟨−q, r̂⟩, probe distance −⟨q, c⟩
/// with ⟨·,·⟩ summed as ScanCentroids::dot says and the term as term_of(). It depends on query,
/// probe and code alone; so results depend neither on the batch, the threads, the instruction set,
/// nor on where entries are kept.
///
/// How: each query has a table of 8-bit numbers, its products with the PQ centroids rounded down
/// (for that the term must be the entry's and not the query's), in steps that are half or a quarter
/// as wide for sub-vectors that differ less; so sub-vectors lie in blocks in that order. Sums of
/// table entries, made 64 entries at a time by byte permutations, bound the distance from below;
/// only entries whose bound is under the k-th best distance so far are measured. (Byte tables and
/// transposed blocks as a filter: André, Kermarrec, Le Scouarnec, "Cache locality is not enough",
/// VLDB 2015, and faiss's fast scan; unlike there, codes keep 8 bits and nothing is lost.) Where
/// byte permutations are short, the least table bytes of four near centroids, as that paper has
/// them of 16, bound it from a quarter of the look-ups first; so codes are renumbered by nearness.
/// The nearest lists of a query come first; then all queries of a thread go through the lists
/// together, so that a list is read once. Not collective.
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
  ScanOptions options_;  ///< with kernels
  at::Tensor coarse_centroids_;
  /// [m, 256], of the codebook's codes in centroids_ and lists_; none: they are the same.
  std::vector<std::uint8_t> numbers_;
  ScanCentroids centroids_;
  ScanLists lists_;
};

struct ScanOptionsTorch {
  bool inner_product = false;
  /// Look-up tables in fp16; fp32 is there to check it, and takes twice the shared memory.
  bool half_tables = true;
  /// Blocks a query; 0: as suits the device. Does not affect results.
  std::int64_t splits = 0;
};

/// IvfPqScan's distances, by gpu::ScanJob's kernels: see there how exact the choice of neighbours
/// is. Lists are gathered in host memory; finish() copies them to the device, at M + 12 bytes an
/// entry (lists are filled up to multiples of 32). Not collective.
class IvfPqScanTorch final : public ListIndexTorch {
 public:
  /// Room for lists of these sizes [nlist]; codes have 8 bits a sub-vector.
  /// Throws core::InputError, saying what would fit, if the device has too little free memory.
  IvfPqScanTorch(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
                 std::shared_ptr<const gpu::ScanLauncher> launcher,
                 const ScanOptionsTorch& options);

  /// Calls for different lists may run at the same time.
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override;
  void finish() override;

  std::int64_t bytes() const override;  ///< of the device's memory

 private:
  /// Throws core::InputError if k is more than gpu::most_scan_k.
  void search_some(const at::Tensor& rotated, const Probes& probes, const TopK& out) const override;
  gpu::ScanPlan plan(const Probes& probes, std::int64_t k) const;

  ScanOptionsTorch options_;
  at::Tensor coarse_centroids_;
  ScanCentroids centroids_;
  std::int64_t chunk_bytes_;
  std::int64_t padded_m_;
  std::vector<std::int64_t> sizes_;  ///< [nlist], of what was appended
  bool finished_ = false;
  // On the host until finish(), then on the device: see gpu::DeviceScanLists.
  at::Tensor first_groups_;
  at::Tensor codes_;
  at::Tensor terms_;
  at::Tensor ids_;
  at::Tensor rows_;  ///< of centroids
  float radius_ = 0;
};

}  // namespace knnseq::index
