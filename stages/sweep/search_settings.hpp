// Which search settings of a sweep suit an index.
#pragma once

#include <string>
#include <vector>

#include "index/core/index_spec.hpp"
#include "retrieval/search_options.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// One search setting and its name, as in "nprobe 16".
struct NamedSetting {
  std::string name;
  retrieval::SearchOptions options;
};

struct SearchSettings {
  std::vector<NamedSetting> all;
  std::string left_out;  ///< why some of the config's are not among them; empty: all are
};

/// nprobe for indexes with lists (found by the graph if the index has one over its centroids),
/// ef_search for HNSW, one without a name for all others; k is the sweep's largest.
SearchSettings settings_for(const index::IndexSpec& spec, const SweepOptions& grid);

}  // namespace knnseq::stages
