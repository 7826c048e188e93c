#include "stages/sweep/search_settings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace knnseq::stages {

SearchSettings settings_for(const index::IndexSpec& spec, const SweepOptions& grid) {
  SearchSettings settings;
  retrieval::SearchOptions options;
  options.k = grid.k.back();
  options.nprobe = 1;
  if (spec.has_lists()) {
    std::vector<std::int64_t> too_many;
    if (spec.coarse_edges > 0) options.probing = index::Probing::hnsw;
    for (const auto nprobe : grid.nprobe) {
      if (nprobe > spec.nlist) {
        too_many.push_back(nprobe);
        continue;
      }
      options.nprobe = nprobe;
      settings.all.push_back({fmt::format("nprobe {}", nprobe), options});
    }
    if (!too_many.empty()) {
      settings.left_out =
          fmt::format("nprobe {} left out: it has {} lists", fmt::join(too_many, ", "), spec.nlist);
    }
  } else if (spec.storage == index::Storage::hnsw) {
    for (const auto ef_search : grid.ef_search) {
      options.ef_search = ef_search;
      settings.all.push_back({fmt::format("ef_search {}", ef_search), options});
    }
  } else {
    settings.all.push_back({"", options});
  }
  return settings;
}

}  // namespace knnseq::stages
