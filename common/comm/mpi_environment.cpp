#include "comm/mpi_environment.hpp"

#include <cstdlib>
#include <exception>

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include "comm/mpi_check.hpp"
#include "comm/mpi_communicator.hpp"
#include "obs/host_name.hpp"

namespace knnseq::comm {

namespace {

constexpr const char* start_setting = "KNNSEQ_START_TIMEOUT";

double start_timeout_seconds() {
  const char* const text = std::getenv(start_setting);
  if (text == nullptr) return 120;
  char* end = nullptr;
  const double seconds = std::strtod(text, &end);
  if (end == text || *end != '\0' || !(seconds >= 0 && seconds <= 1e9)) {
    throw core::InputError(start_setting,
                           fmt::format("'{}' is not a number of seconds from 0 to 1e9", text));
  }
  return seconds;
}

}  // namespace

MpiEnvironment::MpiEnvironment(int& argc, char**& argv)
    : start_and_end_(std::make_shared<Watchdog>(
          start_timeout_seconds(), fmt::format("process {} on {}", ::getpid(), obs::host_name()),
          start_setting)) {
  const Watchdog::Guard guard(*start_and_end_, "MPI_Init");
  int provided = MPI_THREAD_SINGLE;
  KNNSEQ_MPI(MPI_COMM_NULL, MPI_Init_thread, &argc, &argv, MPI_THREAD_FUNNELED, &provided);
  KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_set_errhandler, MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (provided < MPI_THREAD_FUNNELED) {
    throw core::SystemError("this MPI does not provide MPI_THREAD_FUNNELED, which knnseq needs");
  }
}

MpiEnvironment::~MpiEnvironment() {
  if (std::uncaught_exceptions() > 0) return;
  const Watchdog::Guard guard(*start_and_end_, "MPI_Finalize");
  MPI_Finalize();
}

std::unique_ptr<Communicator> MpiEnvironment::world(double timeout_seconds) {
  int rank = 0;
  KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_rank, MPI_COMM_WORLD, &rank);
  const auto who = fmt::format("rank {} on {}", rank, obs::host_name());
  return make_world(std::make_shared<Watchdog>(timeout_seconds, who));
}

std::unique_ptr<Communicator> MpiEnvironment::world() { return make_world(start_and_end_); }

std::unique_ptr<Communicator> MpiEnvironment::make_world(std::shared_ptr<Watchdog> watchdog) {
  MPI_Comm copy = MPI_COMM_NULL;
  {
    // The very first communication: if a network blocks it, it fails here.
    const Watchdog::Guard guard(*watchdog, "starting up");
    KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_dup, MPI_COMM_WORLD, &copy);
  }
  return std::make_unique<MpiCommunicator>(copy, std::move(watchdog));
}

void MpiEnvironment::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::terminate();
}

}  // namespace knnseq::comm
