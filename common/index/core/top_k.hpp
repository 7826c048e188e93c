// The k nearest entries of some queries.
#pragma once

#include <cstdint>
#include <span>

#include <ATen/ATen.h>

#include "index/core/neighbour.hpp"

namespace knnseq::index {

/// One query's neighbours in the host's memory.
struct TopKRow {
  std::span<const float> distances;
  std::span<const std::int64_t> ids;
};

/// Each row in the order of Neighbour. Where fewer than k were found the rest is missing_id and
/// missing_distance. Both tensors are contiguous and lie on one device.
struct TopK {
  at::Tensor distances;  ///< fp32 [q, k]: squared L2 or −(inner product), of the quantised entry
  at::Tensor ids;        ///< int64 [q, k]: packed entry ids (core/entry_id.hpp)

  std::int64_t queries() const { return ids.size(0); }
  std::int64_t k() const { return ids.size(1); }

  /// The same on another device; itself if it is there. To the host it waits for the device.
  TopK to(at::Device device) const { return {distances.to(device), ids.to(device)}; }

  // Of results in the host's memory:
  TopKRow row(std::int64_t query) const;
  void set_row(std::int64_t query, std::span<const Neighbour> neighbours) const;  ///< at most k
};

/// No neighbours yet.
TopK missing_top_k(std::int64_t queries, std::int64_t k, at::Device device = at::kCPU);

}  // namespace knnseq::index
