// The order of neighbours (distance, then entry number) and all that keeps it.
#include <algorithm>
#include <limits>
#include <tuple>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/distance_keys.hpp"
#include "index/core/merge_top_k.hpp"
#include "support/host_top_k.hpp"

using namespace knnseq;

namespace {

/// Neighbours of some queries, nearest first, of equal distances in any order; many are equal.
struct Candidates {
  index::TopK all;
  test::HostTopK expected(std::int64_t k) const {
    const index::TopK result = index::missing_top_k(all.ids.size(0), k);
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
      result.set_row(row, index::certain_top_k(k, scan));
    }
    return result;
  }
};

Candidates draw_candidates(std::int64_t rows, std::int64_t columns, std::uint64_t distances) {
  core::Random random(distances);
  Candidates drawn{index::missing_top_k(rows, columns)};
  for (std::int64_t row = 0; row < rows; ++row) {
    const auto found = columns - 5 * row;  // later rows have fewer
    std::vector<float> values;
    for (std::int64_t i = 0; i < found; ++i) {
      values.push_back(static_cast<float>(random.below(distances)));
    }
    std::sort(values.begin(), values.end());
    for (std::int64_t i = 0; i < found; ++i) {
      drawn.all.distances[row][i] = values[i];
      drawn.all.ids[row][i] = core::pack_entry_id(3, (i * 389) % 1000);
    }
  }
  return drawn;
}

}  // namespace

TEST_CASE("the nearer comes first, of equally near ones the smaller entry number") {
  const auto neighbour = [](float distance, core::TokenId token, std::int64_t entry) {
    return index::Neighbour{distance, core::pack_entry_id(token, entry)};
  };
  // Ascending; tokens do not count.
  const std::vector<index::Neighbour> ordered = {
      neighbour(-2, 9, 7), neighbour(-1, 5, 1), neighbour(0, 9, 3), neighbour(-0.0F, 1, 4),
      neighbour(0, 0, 5),  neighbour(1, 3, 2),  neighbour(1, 2, 8), index::Neighbour{}};
  for (std::size_t i = 0; i < ordered.size(); ++i) {
    for (std::size_t j = 0; j < ordered.size(); ++j) CHECK((ordered[i] < ordered[j]) == (i < j));
  }
  // The same as integers: distances with positions that ascend like the entry numbers.
  std::vector<float> distances;
  std::vector<std::int64_t> positions;
  for (const auto& [distance, id] : ordered) {
    distances.push_back(distance);
    positions.push_back(std::min<std::int64_t>(core::entry_number_of(id), 9));
  }
  const at::Tensor keys =
      index::distance_keys(at::tensor(distances), at::tensor(positions, at::kLong));
  CHECK((keys.narrow(0, 0, 7) < keys.narrow(0, 1, 7)).all().item<bool>());
}

TEST_CASE("the k nearest are kept whatever the order, and nothing infinite or without a number") {
  core::Random random(3);
  for (int round = 0; round < 50; ++round) {
    const auto k = 1 + random.below(round % 2 == 0 ? 12 : 80);
    auto nearest = index::make_nearest(static_cast<std::int64_t>(k));
    std::vector<index::Neighbour> kept;
    const auto count = random.below(round % 2 == 0 ? 40 : 200);
    for (std::uint64_t i = 0; i < count; ++i) {
      const float none = random.below(2) == 0 ? std::numeric_limits<float>::infinity()
                                              : std::numeric_limits<float>::quiet_NaN();
      const bool missing = random.below(5) == 0;
      const auto entry = static_cast<std::int64_t>(i * 7 % 211);
      const index::Neighbour offered{missing ? none : static_cast<float>(random.below(5)),
                                     core::pack_entry_id(1, entry)};
      nearest.offer(offered);
      if (!missing) kept.push_back(offered);
    }
    std::sort(kept.begin(), kept.end(), [](const auto& a, const auto& b) {
      return std::tuple(a.distance, a.id) < std::tuple(b.distance, b.id);
    });
    kept.resize(std::min<std::size_t>(kept.size(), k));
    CHECK(nearest.limit().distance ==
          (kept.size() < k ? index::missing_distance : kept.back().distance));
    const auto made = nearest.take_sorted();
    REQUIRE(made.size() == kept.size());
    for (std::size_t i = 0; i < made.size(); ++i) CHECK(made[i].id == kept[i].id);
  }
}

TEST_CASE("several results merge to what one sort gives") {
  constexpr std::int64_t parts = 3, k = 6, rows = 40;
  core::Random random(5);
  const index::TopK candidates = index::missing_top_k(rows, parts * k);
  const index::TopK expected = index::missing_top_k(rows, k);
  for (std::int64_t row = 0; row < rows; ++row) {
    std::vector<index::Neighbour> all, row_of_parts;
    for (std::int64_t part = 0; part < parts; ++part) {
      std::vector<index::Neighbour> found(random.below(k + 1));
      for (auto& [distance, id] : found) {
        distance = static_cast<float>(random.below(4)) - 1.0F;  // many are equal
        if (distance == 0 && random.below(2) == 0) distance = -0.0F;
        id = core::pack_entry_id(static_cast<core::TokenId>(random.below(99)),
                                 static_cast<std::int64_t>(random.below(1000)) * parts + part);
      }
      std::sort(found.begin(), found.end());
      all.insert(all.end(), found.begin(), found.end());
      found.resize(k);
      row_of_parts.insert(row_of_parts.end(), found.begin(), found.end());
    }
    candidates.set_row(row, row_of_parts);
    std::sort(all.begin(), all.end());
    all.resize(std::min<std::size_t>(all.size(), k));
    expected.set_row(row, all);
  }
  for (const auto merge : {index::merge_top_k_cpu, index::merge_top_k_torch}) {
    const index::TopK merged = merge(candidates, k);
    CHECK(at::equal(merged.ids, expected.ids));
    CHECK(at::equal(merged.distances, expected.distances));
    CHECK(merge(index::missing_top_k(0, parts * k), k).queries() == 0);
    CHECK(merge(index::missing_top_k(2, parts * k), k).ids.eq(-1).all().item<bool>());
  }
}

TEST_CASE("a scan of tensors is asked for more until no cut falls into a tie") {
  const auto distances = GENERATE(1, 4, 20);
  const auto drawn = draw_candidates(4, 200, static_cast<std::uint64_t>(distances));
  for (const std::int64_t k : {1, 7, 60}) {
    std::vector<std::int64_t> asked;
    const auto found = index::certain_top_k_torch(k, 200, [&](std::int64_t count) {
      asked.push_back(count);
      return index::TopK{drawn.all.distances.narrow(1, 0, count),
                         drawn.all.ids.narrow(1, 0, count)};
    });
    const auto expected = drawn.expected(k);
    const test::HostTopK on_host = found;
    CHECK(on_host.ids == expected.ids);
    CHECK(on_host.distances == expected.distances);
    CHECK(asked.front() == k + std::max<std::int64_t>(8, k / 2));
    if (distances == 1) CHECK(asked.back() == 200);
  }
}
