// Memory that the ranks of a node read together, and groups of ranks as if they were nodes.
#include <atomic>
#include <cstring>

#include "comm/agreement.hpp"
#include "comm/shared_memory.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using test::world;

TEST_CASE("all ranks of a node read what each has written") {
  const auto node = world().split_by_node();
  REQUIRE_ALL(node->size() == world().size());  // tests run on one machine
  constexpr std::size_t each = 100'000;
  const auto memory =
      comm::make_shared_memory(*node, each * static_cast<std::size_t>(node->size()));
  REQUIRE_ALL(std::all_of(memory.get(), memory.get() + each,
                          [](auto byte) { return byte == std::byte{}; }));
  node->barrier();
  std::memset(memory.get() + each * static_cast<std::size_t>(node->rank()), node->rank() + 1, each);
  node->barrier();
  bool right = true;
  for (std::size_t i = 0; i < each * static_cast<std::size_t>(node->size()); ++i) {
    right = right && memory.get()[i] == static_cast<std::byte>(i / each + 1);
  }
  REQUIRE_ALL(right);
  REQUIRE_ALL(comm::can_share_memory(*node));
}

TEST_CASE("groups have memories of their own, in which their ranks count") {
  const auto group = world().split(world().rank() % 2);
  const auto memory = comm::make_shared_memory(*group, sizeof(std::int64_t));
  const std::atomic_ref<std::int64_t> counter(*reinterpret_cast<std::int64_t*>(memory.get()));
  for (int i = 0; i < 1000; ++i) counter.fetch_add(1);
  group->barrier();
  REQUIRE_ALL(counter.load() == 1000 * group->size());
}

TEST_CASE("more memory than there can be is an error of all ranks") {
  const auto node = world().split_by_node();
  bool refused = false;
  try {
    comm::make_shared_memory(*node, std::size_t{1} << 62);
  } catch (const comm::AgreedError& error) {
    refused =
        std::string(error.what()).find("memory shared by the ranks of a node") != std::string::npos;
  }
  REQUIRE_ALL(refused);
}
