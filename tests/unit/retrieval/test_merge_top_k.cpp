#include <vector>

#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "retrieval/merge_top_k.hpp"

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
