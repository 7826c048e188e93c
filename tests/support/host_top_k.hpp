// Neighbours as plain vectors, to be compared.
#pragma once

#include <vector>

#include "index/core/top_k.hpp"

namespace knnseq::test {

struct HostTopK {
  HostTopK(const index::TopK& found)  // NOLINT(google-explicit-constructor): results of searches
      : queries(found.queries()), k(found.k()) {
    const index::TopK there = found.to(at::kCPU);
    for (std::int64_t query = 0; query < queries; ++query) {
      const auto row = there.row(query);
      distances.insert(distances.end(), row.distances.begin(), row.distances.end());
      ids.insert(ids.end(), row.ids.begin(), row.ids.end());
    }
  }

  std::int64_t queries, k;
  std::vector<float> distances = {};   ///< [queries · k]
  std::vector<std::int64_t> ids = {};  ///< [queries · k]
};

}  // namespace knnseq::test
