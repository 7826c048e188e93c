// Vectors without inverted lists in memory, and the exact search in them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/search/list_index.hpp"

namespace knnseq::index {

/// Compares each query with all vectors. Distances are plain_distance()s; so results depend neither
/// on the batch, the threads, the instruction set, nor on where vectors are kept.
///
/// How: a matrix product, which rounds by its shape, bounds the distances of all queries to some
/// thousand vectors from below; only vectors whose bound is not above the k-th best distance so far
/// are measured (retrieval::ExactSearch does the same to keys that are not kept). The "lists" are
/// pieces that are filled one after another, by any rank. Not collective.
class FlatScan final : public ListIndex {
 public:
  /// Room for pieces of these sizes. memory: of memory_bytes(), aligned to 64 bytes, which
  /// processes can share, each filling pieces of its own; its own if none is given.
  FlatScan(const IndexSpec& spec, std::span<const std::int64_t> sizes,
           const std::shared_ptr<std::byte>& memory = nullptr);

  static std::int64_t memory_bytes(const IndexSpec& spec, std::span<const std::int64_t> sizes);

  /// codes: fp32 vectors [n, d_out]. All pieces must be full before the first search.
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override;

  /// The k best of each query, exactly, by (distance, entry number). rotated: fp32 [q, d_out].
  /// Those whose distance is infinite or not a number are not found.
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const override;

  std::int64_t entries() const override { return std::ssize(ids_); }
  std::int64_t bytes() const override;

 private:
  struct Batch;
  void search_some(const at::Tensor& queries, std::int64_t k, const TopK& result) const;
  void scan(const Batch& batch, std::int64_t query) const;

  Metric metric_;
  std::int64_t width_;
  float slack_;  ///< most that a bound can be off by, as a share of both squared norms
  std::vector<std::int64_t> next_;     ///< of each piece: where its next vector goes
  std::vector<std::int64_t> ends_;     ///< of each piece
  std::shared_ptr<std::byte> memory_;  ///< holds all that follows
  std::span<std::int64_t> ids_;        ///< [n]
  std::span<float> vectors_;           ///< [n, d_out]
  std::span<float> norms_;             ///< [n], squared
};

}  // namespace knnseq::index
