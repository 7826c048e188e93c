// Exact nearest neighbours among keys that are streamed once.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/core/index_spec.hpp"
#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

/// Some keys, and the subsets of all entries that each belongs to.
struct ExactKeys {
  at::Tensor keys;                         ///< fp32 [n, d]; for cos normalised
  std::span<const std::int64_t> entries;   ///< [n] entry numbers
  std::span<const std::uint64_t> subsets;  ///< [n] bit s: a member of subset s
};

/// The k nearest keys of each query in each of several subsets of the entries, by (distance, entry
/// number). Distances are fp32 sums in a fixed order, so that neither they nor the result depend on
/// how the keys were cut; a matrix product, which rounds by its shape, only tells which keys are
/// certainly too far. Not collective.
class ExactSearch {
 public:
  /// queries: fp32 [q, d]; for cos normalised. At most 64 subsets.
  ExactSearch(const at::Tensor& queries, index::Metric metric, std::int64_t subsets,
              std::int64_t k);

  void add(const ExactKeys& more);

  /// Of one subset, with entry numbers as ids.
  index::TopK result(std::int64_t subset) const;

 private:
  void scan(const ExactKeys& tile, const float* bounds, std::int64_t query, const float* products);
  float distance(const float* query, const float* key) const;

  at::Tensor queries_;
  at::Tensor norms_;  ///< fp32 [q], squared
  index::Metric metric_;
  std::size_t subsets_;
  std::int64_t k_;
  float slack_;  ///< most that a product can be off by, as a share of both squared norms
  std::vector<index::NearestNeighbours> nearest_;  ///< [q · subsets]; ids are entry numbers
};

/// Each rank's neighbours of the same queries, merged. Collective; every rank gets all.
index::TopK merge_over_ranks(comm::Communicator& comm, const index::TopK& mine);

}  // namespace knnseq::retrieval
