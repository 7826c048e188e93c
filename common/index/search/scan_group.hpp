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
  const AdcKernel& adc;
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
  };
  /// An entry, whose id stays in memory unless it decides which of two comes first: it lies far
  /// from the code, and few entries that are measured stay among the best.
  struct Found {
    float distance;
    const std::int64_t* id;
    bool operator<(const Found& other) const {
      if (distance != other.distance) return distance < other.distance;
      return core::entry_number_of(*id) < core::entry_number_of(*other.id);
    }
  };
  using NearestFound = core::Smallest<Found>;
  std::int64_t search_nearest_lists(std::int64_t query);
  template <class Limit>
  void measure_between(float low, float high, std::int64_t query, const Limit& limit);
  void sort_by_list(std::vector<Visit>& visits) const;
  void visit(const Visit& visit);
  void run_kernel(const Visit& visit, float limit, std::size_t first);
  void measure(const Visit& visit, std::size_t position);
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
  std::vector<NearestFound> best_;
  std::vector<float> scores_;                  ///< of the lists visited last
  std::vector<std::uint64_t> passing_;         ///< likewise
  std::vector<std::size_t> starts_;            ///< of a query's nearest lists in scores_
  std::vector<float> minima_;                  ///< of groups of scores_
  std::vector<std::uint8_t> marks_;            ///< of visit_chosen()
  const std::uint8_t* next_blocks_ = nullptr;  ///< of the list to be visited next
};

}  // namespace knnseq::index
