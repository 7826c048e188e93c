// Runs the same Catch2 session on every rank. Each rank's report is kept and printed in the order
// of the ranks if any failed; the exit code is the worst of all, and a rank that checked nothing
// fails.
#define CATCH_CONFIG_EXTERNAL_INTERFACES
#include "support/mpi_main.hpp"

#include <fstream>
#include <iostream>
#include <sstream>

#include <fmt/format.h>

#include "comm/mpi_environment.hpp"
#include "core/files.hpp"
#include "support/run_tests.hpp"

namespace knnseq::test {

namespace {

comm::Communicator* all_ranks = nullptr;
std::int64_t assertions = 0;

struct AssertionCounter : Catch::TestEventListenerBase {
  using TestEventListenerBase::TestEventListenerBase;
  void testRunEnded(const Catch::TestRunStats& stats) override {
    assertions = static_cast<std::int64_t>(stats.totals.assertions.total());
  }
};
CATCH_REGISTER_LISTENER(AssertionCounter)

}  // namespace

comm::Communicator& world() { return *all_ranks; }

}  // namespace knnseq::test

int main(int argc, char** argv) {
  using namespace knnseq;
  comm::MpiEnvironment mpi(argc, argv);
  const auto world = mpi.world(50);
  test::all_ranks = world.get();

  std::ostringstream report;
  auto* const console = std::cout.rdbuf(report.rdbuf());
  std::int64_t code = test::run_tests(argc, argv);
  std::cout.rdbuf(console);
  if (code == 0 && test::assertions == 0) {
    report << "this rank checked nothing\n";
    code = 1;
  }

  const std::string mine = fmt::format("--- rank {} of {}: {} assertions, exit code {}\n{}",
                                       world->rank(), world->size(), test::assertions, code,
                                       code != 0 || world->is_root() ? report.str() : "");
  const auto reports = world->all_gather(std::span<const char>(mine.data(), mine.size()));
  if (world->is_root()) std::cout << std::string(reports.values.begin(), reports.values.end());
  return static_cast<int>(world->all_reduce(code, comm::Reduction::max));
}
