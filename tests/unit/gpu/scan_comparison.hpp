// Searches with the kernels under test, and comparisons of what was found.
#pragma once

#include <cstdint>
#include <set>

#include "index/search/ivfpq_scan.hpp"
#include "support/host_top_k.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/index/scan_cases.hpp"

namespace knnseq::test {

inline index::IvfPqScanTorch make_gpu_scan(const Case& test, index::ScanOptionsTorch options = {}) {
  options.inner_product = test.inner_product;
  index::IvfPqScanTorch scan(test.codebook, sizes_of(test), launcher_under_test(), options);
  fill(scan, test);
  return scan;
}

inline HostTopK search(const Case& test, const index::LocalIndex& scan, std::int64_t k) {
  return scan.search(test.queries, test.probes, k);
}

inline std::int64_t differing(const HostTopK& a, const HostTopK& b) {
  std::int64_t different = 0;
  for (std::size_t i = 0; i < a.ids.size(); ++i) {
    different += a.ids[i] == b.ids[i] && a.distances[i] == b.distances[i] ? 0 : 1;
  }
  return a.ids.size() == b.ids.size() ? different : -1;
}

/// The share of b's neighbours that are among a's.
inline double overlap(const HostTopK& a, const HostTopK& b) {
  std::int64_t found = 0;
  std::int64_t all = 0;
  for (std::int64_t i = 0; i < a.queries; ++i) {
    const auto row = a.ids.begin() + i * a.k;
    const std::set<std::int64_t> ids(row, row + a.k);
    for (std::int64_t j = 0; j < b.k; ++j) {
      const std::int64_t id = b.ids[i * b.k + j];
      all += id == index::missing_id ? 0 : 1;
      found += id != index::missing_id && ids.contains(id) ? 1 : 0;
    }
  }
  return static_cast<double>(found) / static_cast<double>(all);
}

}  // namespace knnseq::test
