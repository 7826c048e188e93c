#include <algorithm>

#include "retrieval/exact_search.hpp"
#include "support/host_top_k.hpp"
#include "support/mpi_main.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using test::world;

namespace {

constexpr std::int64_t d = 24;
constexpr std::int64_t k = 20;

/// Subset 1 holds every third entry, subset 2 three entries, subset 0 all.
std::uint64_t subsets_of(std::int64_t entry) {
  return 1u | (entry % 3 == 0 ? 2u : 0u) | (entry % 700 == 5 ? 4u : 0u);
}

/// 2,000 keys, of which many are the same.
at::Tensor all_keys() {
  return at::cat({test::clustered(1400, d, 3), test::normal(20, d, 4).repeat({30, 1})});
}

double distance(const at::Tensor& a, const at::Tensor& b, index::Metric metric) {
  const at::Tensor x = a.to(at::kDouble), y = b.to(at::kDouble);
  return index::is_inner_product(metric) ? -at::dot(x, y).item<double>()
                                         : at::sum((x - y) * (x - y)).item<double>();
}

/// This rank's keys, some at a time: entry e is on rank e / 7 mod ranks; of more than two ranks the
/// last has none.
test::HostTopK search_together(const at::Tensor& queries, index::Metric metric, std::int64_t subset,
                               std::int64_t piece) {
  retrieval::ExactSearch search(queries, metric, 3, k);
  const at::Tensor keys = all_keys();
  const int holders = world().size() > 2 ? world().size() - 1 : world().size();
  std::vector<std::int64_t> mine;
  for (std::int64_t entry = 0; entry < keys.size(0); ++entry) {
    if (entry / 7 % holders == world().rank()) mine.push_back(entry);
  }
  for (std::size_t at = 0; at < mine.size(); at += static_cast<std::size_t>(piece)) {
    const auto part =
        std::span(mine).subspan(at, std::min(mine.size() - at, static_cast<std::size_t>(piece)));
    std::vector<std::uint64_t> subsets;
    for (const auto entry : part) subsets.push_back(subsets_of(entry));
    search.add({keys.index_select(0, at::tensor(part, at::kLong)), part, subsets});
  }
  return retrieval::merge_over_ranks(world(), search.result(subset));
}

}  // namespace

TEST_CASE("exact search finds what comparing everything finds") {
  const at::Tensor keys = all_keys();
  const at::Tensor queries = at::cat({test::clustered(9, d, 8), keys.slice(0, 1410, 1412)});
  for (const auto metric : {index::Metric::l2, index::Metric::ip}) {
    for (const std::int64_t subset : {0, 1, 2}) {
      const auto found = search_together(queries, metric, subset, 333);
      for (std::int64_t q = 0; q < queries.size(0); ++q) {
        std::vector<std::pair<double, std::int64_t>> expected;
        for (std::int64_t entry = 0; entry < keys.size(0); ++entry) {
          if ((subsets_of(entry) >> subset & 1) == 0) continue;
          expected.emplace_back(distance(queries[q], keys[entry], metric), entry);
        }
        std::sort(expected.begin(), expected.end());
        const auto count = std::min<std::size_t>(expected.size(), k);
        bool same = true;
        for (std::size_t j = 0; j < static_cast<std::size_t>(k); ++j) {
          const auto at = static_cast<std::size_t>(q * k) + j;
          const auto [distance, entry] =
              j < count ? expected[j] : std::pair<double, std::int64_t>(0, -1);
          const bool near = j >= count || std::abs(found.distances[at] - distance) < 1e-3;
          same = same && found.ids[at] == entry && near;
        }
        REQUIRE_ALL(same);
      }
      CHECK(found.distances == search_together(queries, metric, subset, 2000).distances);
    }
  }
}
