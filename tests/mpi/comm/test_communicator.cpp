#include <numeric>

#include "comm/gather_json.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using comm::Reduction;

TEST_CASE("reductions") {
  auto& world = test::world();
  const std::int64_t rank = world.rank(), size = world.size();
  REQUIRE_ALL(world.all_reduce(rank + 1, Reduction::sum) == size * (size + 1) / 2);
  REQUIRE_ALL(world.all_reduce(rank, Reduction::max) == size - 1);
  REQUIRE_ALL(world.all_reduce(-1.5 * static_cast<double>(rank), Reduction::min) ==
              -1.5 * static_cast<double>(size - 1));
  std::vector<std::int64_t> many(1000, rank);
  world.all_reduce(many, Reduction::sum);
  REQUIRE_ALL(many == std::vector<std::int64_t>(1000, size * (size - 1) / 2));
  REQUIRE_ALL(world.all(true));
  REQUIRE_ALL(world.all(rank == 0) == (size == 1));
  REQUIRE_ALL(world.exclusive_scan(rank + 1) == rank * (rank + 1) / 2);
}

TEST_CASE("gathers of different lengths, some of them empty") {
  auto& world = test::world();
  const int rank = world.rank();
  const std::vector<std::int64_t> mine(rank, rank);  // rank 0 has none
  const auto all = world.all_gather(std::span<const std::int64_t>(mine));
  REQUIRE_ALL(std::ssize(all.starts) == world.size() + 1);
  bool right = true;
  for (int r = 0; r < world.size(); ++r) {
    right = right && std::ssize(all.of(r)) == r;
    for (const auto value : all.of(r)) right = right && value == r;
  }
  REQUIRE_ALL(right);
}

TEST_CASE("all to all brings each part to its rank, in rank order") {
  auto& world = test::world();
  const std::int64_t rank = world.rank(), size = world.size();
  std::vector<std::int32_t> mine;
  std::vector<std::int64_t> counts;
  for (std::int64_t to = 0; to < size; ++to) {  // to + rank values for rank `to`
    counts.push_back(to + rank);
    mine.insert(mine.end(), to + rank, static_cast<std::int32_t>(100 * rank + to));
  }
  const auto got = world.all_to_all(std::span<const std::int32_t>(mine), counts);
  bool right = true;
  for (int from = 0; from < size; ++from) {
    right = right && std::ssize(got.of(from)) == rank + from;
    for (const auto value : got.of(from)) right = right && value == 100 * from + rank;
  }
  REQUIRE_ALL(right);
}

TEST_CASE("broadcasts, strings and JSON") {
  auto& world = test::world();
  const int last = world.size() - 1;
  REQUIRE_ALL(world.broadcast_string(world.rank() == last ? "text" : "", last) == "text");
  const auto all = comm::gather_json(world, {{"rank", world.rank()}});
  REQUIRE_ALL(all.at(last).at("rank") == last);
}

TEST_CASE("splits keep the order of ranks and can be split again") {
  auto& world = test::world();
  const auto half = world.split(world.rank() % 2);
  REQUIRE_ALL(half->rank() == world.rank() / 2);
  REQUIRE_ALL(half->size() == (world.size() + 1 - world.rank() % 2) / 2);
  const auto alone = half->split(half->rank());
  REQUIRE_ALL(alone->size() == 1);
}

TEST_CASE("posted messages arrive, each once") {
  auto& world = test::world();
  const std::vector<std::int64_t> message = {world.rank(), 7};
  if (!world.is_root()) {
    for (int i = 0; i < 3; ++i) world.post(0, message);
  }
  std::int64_t arrived = 0;
  while (world.is_root() && arrived < 3 * (world.size() - 1)) {
    if (const auto got = world.poll()) {
      CHECK(got->size() == 2);
      ++arrived;
    }
  }
  world.barrier();
  REQUIRE_ALL(!world.is_root() || !world.poll().has_value());
}
