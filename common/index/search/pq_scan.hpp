// PQ codes without inverted lists, scanned as lists are.
#pragma once

#include "index/search/ivfpq_scan.hpp"

namespace knnseq::index {

/// IvfPqScan over lists whose centroids are zero and which all queries visit, so that an entry with
/// the decoded code r̂ has the distance (‖q‖² + ‖r̂‖²) + ⟨−2q, r̂⟩ for L2, ⟨−q, r̂⟩ for inner product,
/// in fp32 and in this order, with ‖q‖² as plain_distance() sums. Where the lists are cut is of no
/// matter for results; they are only there so that all queries of a thread pass one together while
/// it is in the cache, and that ranks can fill them together. Not collective.
class PqScan final : public ListIndex {
 public:
  /// Room for lists of these sizes, of a codebook without lists. memory: of ScanLists.
  PqScan(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
         std::shared_ptr<std::byte> memory = nullptr);

  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override {
    scan_.append(list, codes, ids);
  }

  /// As IvfPqScan does, among all entries.
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const override;

  std::int64_t entries() const override { return scan_.entries(); }
  std::int64_t bytes() const override { return scan_.bytes(); }

 private:
  bool inner_product_;
  std::int64_t lists_;
  IvfPqScan scan_;
};

}  // namespace knnseq::index
