// Ranks that wait for one at long work hear from it, and share its failure.
#include <chrono>
#include <filesystem>
#include <thread>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/long_work.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;

namespace {

/// The work of one rank takes twice as long as ranks may be silent.
void wait_for(int slow_rank, const std::function<void()>& work) {
  auto& world = test::world();
  obs::Log log(world.rank(), world.size());
  constexpr double silence_seconds = 1;
  runtime::StageContext context{world,          log, {}, runtime::StageContext::Force::no, "",
                                silence_seconds};
  runtime::agree_on_long_work(context, [&] {
    if (world.rank() != slow_rank) return;
    std::this_thread::sleep_for(std::chrono::seconds(2));
    work();
  });
}

}  // namespace

TEST_CASE("A rank at long work is not taken for gone") {
  for (const int slow_rank : {0, test::world().size() - 1}) {
    bool done = false;
    CHECK_NOTHROW(wait_for(slow_rank, [&] { done = true; }));
    CHECK(done == (test::world().rank() == slow_rank));
  }
}

TEST_CASE("What long work throws all ranks throw") {
  const auto failing = [] { throw core::InputError("filter 'x'", "failed"); };
  const int last = test::world().size() - 1;
  try {
    wait_for(last, failing);
    FAIL("nothing was thrown");
  } catch (const comm::AgreedError& e) {
    CHECK(std::string(e.what()) == "filter 'x': failed");
    CHECK(e.code() == core::ExitCode::bad_input);
    CHECK(e.is_speaker() == (test::world().rank() == last));
  }
}
