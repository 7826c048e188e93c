#include <string>

#include "comm/agreement.hpp"
#include "gpu/placement.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;

TEST_CASE("without CUDA ranks compute on CPUs, and know their place on the host") {
  auto& world = test::world();
  for (const auto wanted : {gpu::Wanted::automatic, gpu::Wanted::cpu}) {
    const auto placement = gpu::place_rank(world, wanted);
    REQUIRE_ALL(!placement.device.cuda && placement.device.name() == "cpu");
    REQUIRE_ALL(!placement.shares_gpu);
    // All ranks of a test are on one host.
    REQUIRE_ALL(placement.local_rank == world.rank());
    REQUIRE_ALL(placement.local_ranks == world.size());
  }
}

TEST_CASE("a build without CUDA refuses device: cuda on all ranks, with exit code 2") {
  auto& world = test::world();
  std::string message;
  int code = 0;
  bool of_all = false;
  try {
    gpu::place_rank(world, gpu::Wanted::cuda);
  } catch (const comm::AgreedError& e) {
    message = e.what();
    code = static_cast<int>(e.code());
    of_all = e.of_all();
  }
  REQUIRE_ALL(message.find("device: cuda needs the program knnseq-cuda") == 0);
  REQUIRE_ALL(code == 2);
  REQUIRE_ALL(of_all);
}

TEST_CASE("each kind of device has the config's name") {
  CHECK(core::name_of(gpu::Wanted::automatic) == "auto");
  CHECK(core::name_of(gpu::Wanted::cpu) == "cpu");
  CHECK(core::name_of(gpu::Wanted::cuda) == "cuda");
}
