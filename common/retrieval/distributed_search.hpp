// Search of a whole datastore, whose entries lie in the local indexes of a group of ranks.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "gpu/collectives.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/search/local_index.hpp"
#include "retrieval/exchange/query_exchange.hpp"
#include "retrieval/knn_search.hpp"
#include "retrieval/search_options.hpp"

namespace knnseq::retrieval {

/// Where a rank's part of the search computes: by default on the CPU, with messages of the
/// communicator. With `collectives` queries and results stay tensors of the device all the way.
struct SearchDevice {
  at::Device device = at::kCPU;
  std::unique_ptr<gpu::Collectives> collectives = {};
  /// By which queries are probed. Unless given, that of the device; others are for tests.
  std::optional<gpu::ComputePath> path = std::nullopt;
};

/// Where the time of the exchanges went, in seconds, summed since construction. A GPU runs
/// asynchronously: its time shows up where the host waits next.
struct SearchTimes {
  double prepare_seconds = 0;   ///< rotation and probes of own queries
  double exchange_seconds = 0;  ///< messages, including waiting for other ranks
  double scan_seconds = 0;      ///< search in the local index, for all ranks' queries
  double merge_seconds = 0;
  std::int64_t exchanges = 0;
  std::int64_t queries = 0;          ///< own ones
  std::int64_t scanned_queries = 0;  ///< all ranks' ones
};

class DistributedSearch final : public KnnSearch {
 public:
  /// comm: the ranks whose local indexes together hold each entry once; it must outlive this
  /// object. A rank that can read all entries is a group of its own and exchanges nothing. The
  /// codebook is the same on every rank; all ranks have collectives, or none.
  DistributedSearch(comm::Communicator& comm, const index::Codebook& codebook,
                    std::shared_ptr<index::LocalIndex> local_index, const SearchOptions& options,
                    SearchDevice device = {});

  /// queries [q, d_in] (fp32, fp16 or bf16), q may be 0 and differs by rank; their sentences are of
  /// no matter. Results are those of one unsharded index, and on the device.
  index::TopK search(const at::Tensor& queries,
                     std::span<const std::int64_t> sentences = {}) override;
  /// start() sends the queries to all ranks, serve() searches for all and sends the results.
  std::unique_ptr<PendingSearch> start(const at::Tensor& queries,
                                       std::span<const std::int64_t> sentences,
                                       std::int64_t status) override;
  /// Two by messages. One with collectives of devices: these are not in two parts, and two lanes
  /// have not been run on GPUs yet.
  int lanes() const override { return collective() && !device_.collectives ? 2 : 1; }

  void set_options(const SearchOptions& options) override;

  std::int64_t width() const override { return coder_.codebook().spec.d_in; }
  bool collective() const override { return comm_.size() > 1; }
  comm::Communicator* group() const override { return collective() ? &comm_ : nullptr; }
  std::string summary() const override;

  const SearchTimes& times() const { return times_; }

 private:
  class Pending;

  PreparedQueries prepare(const at::Tensor& queries);
  index::TopK scan(const PreparedQueries& queries);

  comm::Communicator& comm_;
  SearchDevice device_;
  index::VectorQuantizer coder_;
  std::shared_ptr<index::LocalIndex> local_index_;
  SearchOptions options_;
  SearchTimes times_;
};

}  // namespace knnseq::retrieval
