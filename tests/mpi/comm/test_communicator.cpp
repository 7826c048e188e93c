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

namespace {

using Bytes = std::vector<std::byte>;

/// What `from` sends to `to` in an exchange: of another length for each, to some nothing.
Bytes message(int from, int to, int exchange) {
  const auto size = static_cast<std::size_t>((from * 7 + to * 3 + exchange) % 5) * 40'000;
  return Bytes(size, static_cast<std::byte>(from * 16 + to * 4 + exchange));
}

std::vector<Bytes> messages_from(int rank, int exchange) {
  std::vector<Bytes> parts;
  for (int to = 0; to < test::world().size(); ++to) parts.push_back(message(rank, to, exchange));
  return parts;
}

/// As start_all_to_all() sent it, or, for to_all, start_all_gather().
bool collects(int exchange, bool to_all) {
  auto& world = test::world();
  const auto got = world.collect();
  bool right = std::ssize(got) == world.size();
  for (int from = 0; right && from < world.size(); ++from) {
    right = got[from] == message(from, to_all ? 0 : world.rank(), exchange);
  }
  return right;
}

}  // namespace

TEST_CASE("exchanges under way are collected in the order of their starts") {
  auto& world = test::world();
  const int rank = world.rank();
  world.start_all_gather(message(rank, 0, 0));
  world.start_all_to_all(messages_from(rank, 1));
  REQUIRE_ALL(collects(0, /*to_all=*/true));
  for (int exchange = 2; exchange < 8; ++exchange) {  // two are under way, of either kind
    if (exchange % 3 == 0) {
      world.start_all_gather(message(rank, 0, exchange));
    } else {
      world.start_all_to_all(messages_from(rank, exchange));
    }
    REQUIRE_ALL(collects(exchange - 1, (exchange - 1) % 3 == 0));
  }
  REQUIRE_ALL(collects(7, false));
  CHECK_THROWS_AS(world.collect(), std::logic_error);
}

TEST_CASE("a rank that is late keeps nobody from starting, and posts go their own way") {
  auto& world = test::world();
  const int last = world.size() - 1;
  const Bytes large(3'000'000, static_cast<std::byte>(world.rank()));
  const std::vector<std::int64_t> word = {1};
  // The last rank starts only after it has heard that the others have.
  for (int heard = 0; world.rank() == last && heard < last;) heard += world.poll() ? 1 : 0;
  world.start_all_gather(large);
  world.start_all_to_all(messages_from(world.rank(), 1));
  if (world.rank() != last) world.post(last, word);
  const auto got = world.collect();
  bool right = true;
  for (int from = 0; from <= last; ++from) {
    right = right && got[from] == Bytes(large.size(), static_cast<std::byte>(from));
  }
  REQUIRE_ALL(right);
  REQUIRE_ALL(collects(1, false));
}

TEST_CASE("parts of an exchange that MPI is given in one piece or several") {
  auto& world = test::world();
  const std::size_t small = 3840, most_small = std::size_t{4} << 20, large = std::size_t{64} << 20;
  for (const std::size_t size :
       {std::size_t{1}, small, small + 1, most_small, most_small + 1, large, large + 3}) {
    std::vector<Bytes> parts(world.size());
    if (world.rank() == world.size() - 1) {  // from the last rank to the first
      for (std::size_t i = 0; i < size; ++i) parts[0].push_back(static_cast<std::byte>(i % 251));
    }
    world.start_all_to_all(std::move(parts));
    const auto got = world.collect();
    bool right = got.back().size() == (world.is_root() ? size : 0);
    for (std::size_t i = 0; i < got.back().size(); ++i) {
      right = right && got.back()[i] == static_cast<std::byte>(i % 251);
    }
    REQUIRE_ALL(right);
  }
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
