// Searches the local indexes of all ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/search/local_index.hpp"
#include "retrieval/exchange/query_message.hpp"
#include "retrieval/search_device.hpp"
#include "retrieval/search_options.hpp"

namespace knnseq::retrieval {

/// What one exchange brings back to this rank.
struct Exchange {
  at::Tensor scores;  ///< fp32 [q, k]: −(squared distance) or inner product; −inf where missing
  at::Tensor ids;     ///< int64 [q, k]: packed entry ids; −1 where missing
  std::vector<std::int64_t> statuses;  ///< of all ranks, as they gave them to search()
};

/// Where the time of the exchanges went, in seconds, summed since construction. A GPU works on
/// while the host goes on: there the time shows up where the host waits next.
struct SearchTimes {
  double prepare_seconds = 0;   ///< rotation and probes of own queries
  double exchange_seconds = 0;  ///< messages, including waiting for other ranks
  double scan_seconds = 0;      ///< search in the local index, for all ranks' queries
  double merge_seconds = 0;
  std::int64_t exchanges = 0;
  std::int64_t queries = 0;          ///< own ones
  std::int64_t scanned_queries = 0;  ///< all ranks' ones
};

class DistributedSearch {
 public:
  /// `comm` must outlive this object. The codebook is the same on every rank; all ranks have
  /// collectives, or none.
  DistributedSearch(comm::Communicator& comm, const index::Codebook& codebook,
                    std::unique_ptr<index::LocalIndex> local_index, const SearchOptions& options,
                    SearchDevice device = {});

  /// One lockstep exchange; collective. queries [q, d_in] (fp32, fp16 or bf16), q may be 0 and
  /// differs by rank. `status` is free for the caller and reaches all ranks. Results are those of
  /// one unsharded index, and on the device. With collectives the ranks' counts of queries and
  /// statuses go first, through the host, and then the tensors.
  Exchange search(const at::Tensor& queries, std::int64_t status);

  /// For later searches; the backend stays as it is. The same on every rank.
  void set_options(const SearchOptions& options);

  std::int64_t width() const { return coder_.codebook().spec.d_in; }  ///< of queries

  const SearchTimes& times() const { return times_; }

 private:
  Exchange search_together(const PreparedQueries& prepared, std::int64_t status);
  Exchange search_tensors_together(const PreparedQueries& prepared, std::int64_t status);

  comm::Communicator& comm_;
  SearchDevice device_;
  index::VectorQuantizer coder_;
  std::unique_ptr<index::LocalIndex> local_index_;
  SearchOptions options_;
  SearchTimes times_;
};

}  // namespace knnseq::retrieval
