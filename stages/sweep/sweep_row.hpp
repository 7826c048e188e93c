// What is measured of one index over one share of the datastore.
#pragma once

#include <string>
#include <vector>

#include "core/files.hpp"

namespace knnseq::stages {

/// One search setting and how it did.
struct SweepPoint {
  std::string setting;          ///< "nprobe 16", "ef_search 64", or "" if there is nothing to set
  std::vector<double> recalls;  ///< one for each k, in the order of the config
  double microseconds_per_query = 0;
};

struct SweepRow {
  std::string index;         ///< its factory string
  std::int64_t share = 1;    ///< n: 1/n of the datastore
  std::int64_t entries = 0;  ///< in that share
  double train_seconds = 0;
  double add_seconds = 0;
  double bytes_per_entry = 0;  ///< of memory
  std::int64_t queries = 0;    ///< that it was measured with
  std::int64_t ranks = 1;      ///< that measured it
  std::vector<SweepPoint> points;
  std::string note;  ///< why nothing, or not everything, was measured, or what is wrong with it
};

/// All that is reported.
struct SweepResult {
  std::vector<std::int64_t> k;
  std::int64_t threads = 1;  ///< of each rank
  std::string metric;
  std::vector<SweepRow> rows;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SweepPoint, setting, recalls, microseconds_per_query)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SweepRow, index, share, entries, train_seconds, add_seconds,
                                   bytes_per_entry, queries, ranks, points, note)
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(SweepResult, k, threads, metric, rows)

/// "all" or "1/16"
std::string share_name(std::int64_t share);

}  // namespace knnseq::stages
