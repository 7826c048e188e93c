#include <algorithm>
#include <vector>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/core/neighbour.hpp"
#include "retrieval/exchange/merge_top_k.hpp"
#include "retrieval/exchange/tensor_exchange.hpp"

using namespace knnseq;

TEST_CASE("partial lists merge by distance, then entry number") {
  const auto id = [](core::TokenId token, std::int64_t entry) {
    return core::pack_entry_id(token, entry);
  };
  const float none = index::missing_distance;
  const std::vector<float> a = {1, 2, 2};
  const std::vector<std::int64_t> a_ids = {id(9, 4), id(9, 1), id(1, 8)};
  const std::vector<float> b = {1, 2, none};
  const std::vector<std::int64_t> b_ids = {id(2, 5), id(3, 7), -1};
  const std::vector<float> c = {none, none, none};
  const std::vector<std::int64_t> c_ids = {-1, -1, -1};
  const std::vector<retrieval::NeighbourList> lists = {{a, a_ids}, {b, b_ids}, {c, c_ids}};

  std::vector<float> distances(4);
  std::vector<std::int64_t> ids(4);
  retrieval::merge_top_k(lists, distances, ids);
  CHECK(distances == std::vector<float>{1, 1, 2, 2});
  CHECK(ids == std::vector<std::int64_t>{id(9, 4), id(2, 5), id(9, 1), id(3, 7)});

  distances.resize(7);
  ids.resize(7);
  retrieval::merge_top_k(lists, distances, ids);
  CHECK(ids[4] == id(1, 8));
  CHECK(ids[5] == -1);
  CHECK(distances[6] == none);
  retrieval::merge_top_k({}, distances, ids);
  CHECK(ids == std::vector<std::int64_t>(7, -1));
}

TEST_CASE("the best of rows of tensors are those of merged lists") {
  constexpr std::int64_t parts = 3, k = 6, rows = 40;
  core::Random random(5);
  std::vector<float> distances;
  std::vector<std::int64_t> ids;
  std::vector<float> expected_distances(rows * k);
  std::vector<std::int64_t> expected_ids(rows * k);
  for (std::size_t row = 0; row < rows; ++row) {
    std::vector<std::vector<float>> lists(parts);
    std::vector<std::vector<std::int64_t>> list_ids(parts);
    std::vector<retrieval::NeighbourList> views;
    for (std::size_t part = 0; part < parts; ++part) {
      std::vector<index::Neighbour> found(random.below(k + 1));
      for (auto& [distance, id] : found) {
        distance = static_cast<float>(random.below(4)) - 1.0F;  // many are equal
        if (distance == 0 && random.below(2) == 0) distance = -0.0F;
        id = core::pack_entry_id(static_cast<core::TokenId>(random.below(99)),
                                 static_cast<std::int64_t>(random.below(1000) * parts + part));
      }
      std::sort(found.begin(), found.end());
      found.resize(k, {index::missing_distance, index::missing_id});
      for (const auto& [distance, id] : found) {
        lists[part].push_back(distance);
        list_ids[part].push_back(id);
      }
      distances.insert(distances.end(), lists[part].begin(), lists[part].end());
      ids.insert(ids.end(), list_ids[part].begin(), list_ids[part].end());
      views.push_back({lists[part], list_ids[part]});
    }
    retrieval::merge_top_k(views, std::span(expected_distances).subspan(row * k, k),
                           std::span(expected_ids).subspan(row * k, k));
  }
  const auto best = index::best_of({at::tensor(distances).view({rows, parts * k}),
                                    at::tensor(ids, at::kLong).view({rows, parts * k})},
                                   k);
  CHECK(at::equal(best.ids, at::tensor(expected_ids, at::kLong).view({rows, k})));
  CHECK(at::equal(best.distances, at::tensor(expected_distances).view({rows, k})));
}
