// The search of some queries by one thread.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "core/types.hpp"
#include "core/views.hpp"
#include "index/core/neighbour.hpp"
#include "index/core/top_k.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/scan_lists.hpp"
#include "index/search/scan_query.hpp"

namespace knnseq::index {

/// What IvfPqScan::search was given.
struct ScanBatch {
  core::MatrixView<const float> queries;          ///< [q, d_out]
  core::MatrixView<const std::int64_t> lists;     ///< [q, nprobe]
  core::MatrixView<const float> probe_distances;  ///< [q, nprobe]
};

/// What is searched and how.
struct ScanTarget {
  const ScanCentroids& centroids;
  const ScanLists& lists;
  const ScanKernel& kernel;
  bool inner_product;
};

/// Queries [rows] of a batch. Refers to its arguments.
class ScanGroup {
 public:
  ScanGroup(const ScanTarget& target, const ScanBatch& batch, core::Range rows, std::int64_t k);

  void search();
  /// Writes the group's rows of the result.
  void write(const TopK& result);

 private:
  /// One list probed by one of the group's queries.
  struct Visit {
    std::int64_t list;
    std::int64_t query;  ///< in the group
    std::int64_t probe;  ///< position among the query's probes
    bool operator<(const Visit& other) const { return list < other.list; }
  };
  std::int64_t search_nearest_lists(std::int64_t query);
  template <class Limit>
  void measure_between(float low, float high, std::int64_t query, std::int64_t lists,
                       const Limit& limit);
  void visit(const Visit& visit);
  void run_kernel(const Visit& visit, float limit, std::size_t first);
  void measure(const Visit& visit, std::int64_t position);
  Visit visit_of(std::int64_t query, std::int64_t probe) const;
  float probe_distance(const Visit& visit) const;
  double base_of(const Visit& visit) const;
  double error_of(const Visit& visit) const;

  ScanTarget target_;
  ScanBatch batch_;
  core::Range rows_;
  std::int64_t k_;
  std::vector<float> padded_;  ///< [rows, m · padded_dsub]
  at::Tensor tables_;          ///< uint8 [rows, scan_table_bytes(m)]
  std::vector<ScanQuery> queries_;
  std::vector<NeighbourHeap> best_;
  std::vector<float> scores_;                  ///< of the lists visited last
  std::vector<std::uint64_t> passing_;         ///< likewise
  std::vector<std::int64_t> positions_;        ///< of entries to be measured
  const std::uint8_t* next_blocks_ = nullptr;  ///< of the list to be visited next
};

}  // namespace knnseq::index
