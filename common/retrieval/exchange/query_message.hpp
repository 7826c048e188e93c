// What a rank tells all others in one exchange: its status, its queries and where to look.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "index/core/probes.hpp"

namespace knnseq::retrieval {

/// Queries of one or more ranks, one after another.
struct PreparedQueries {
  at::Tensor rotated;    ///< fp32 [q, d_out]
  index::Probes probes;  ///< [q, nprobe]
};

/// Header, rotated queries, distances and lists as bytes.
std::vector<std::byte> pack_queries(std::int64_t status, const PreparedQueries& queries);

/// All ranks' messages, read.
struct UnpackedQueries {
  std::vector<std::int64_t> statuses;  ///< [ranks]
  std::vector<std::int64_t> counts;    ///< [ranks] queries
  PreparedQueries all;                 ///< in rank order
};

/// `width` and `nprobe` are those of the queries, the same on all ranks.
UnpackedQueries unpack_queries(const std::vector<std::span<const std::byte>>& messages,
                               std::int64_t width, std::int64_t nprobe);

}  // namespace knnseq::retrieval
