#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/device_top_k.hpp"

using namespace knnseq;

namespace {

/// Neighbours of some queries, nearest first, of equal distances in any order; many are equal.
struct Candidates {
  index::DeviceTopK all;
  index::TopK expected(std::int64_t k) const {
    index::TopK result = index::missing_top_k(all.ids.size(0), k);
    for (std::int64_t row = 0; row < all.ids.size(0); ++row) {
      const auto scan = [&](std::size_t count) {
        std::vector<index::Neighbour> found;
        const auto there =
            std::min<std::int64_t>(static_cast<std::int64_t>(count), all.ids.size(1));
        for (std::int64_t i = 0; i < there; ++i) {
          const auto id = all.ids[row][i].item<std::int64_t>();
          if (id != index::missing_id) found.push_back({all.distances[row][i].item<float>(), id});
        }
        return found;
      };
      index::set_row(result, row, index::certain_top_k(static_cast<std::size_t>(k), scan));
    }
    return result;
  }
};

Candidates draw_candidates(std::int64_t rows, std::int64_t columns, std::uint64_t distances) {
  core::Random random(distances);
  Candidates drawn{{at::full({rows, columns}, index::missing_distance, at::kFloat),
                    at::full({rows, columns}, index::missing_id, at::kLong)}};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto found = columns - 5 * row;  // later rows have fewer
    std::vector<float> values;
    for (std::int64_t i = 0; i < found; ++i) {
      values.push_back(static_cast<float>(random.below(distances)));
    }
    std::sort(values.begin(), values.end());
    for (std::int64_t i = 0; i < found; ++i) {
      drawn.all.distances[row][i] = values[static_cast<std::size_t>(i)];
      drawn.all.ids[row][i] = core::pack_entry_id(3, (i * 389) % 1000);
    }
  }
  return drawn;
}

}  // namespace

TEST_CASE("a scan of tensors is asked for more until no cut falls into a tie") {
  const auto distances = GENERATE(1, 4, 20);
  const auto drawn = draw_candidates(4, 200, static_cast<std::uint64_t>(distances));
  for (const std::int64_t k : {1, 7, 60}) {
    std::vector<std::int64_t> asked;
    const auto found = index::certain_device_top_k(k, 200, [&](std::int64_t count) {
      asked.push_back(count);
      return index::DeviceTopK{drawn.all.distances.narrow(1, 0, count),
                               drawn.all.ids.narrow(1, 0, count)};
    });
    const auto expected = drawn.expected(k);
    const auto on_host = index::to_host(found);
    CHECK(on_host.ids == expected.ids);
    CHECK(on_host.distances == expected.distances);
    CHECK(asked.front() == k + std::max<std::int64_t>(8, k / 2));
    if (distances == 1) CHECK(asked.back() == 200);
  }
}
