#include "comm/mpi_environment.hpp"

#include <exception>

#include <fmt/format.h>
#include <mpi.h>

#include "comm/mpi_check.hpp"
#include "comm/mpi_communicator.hpp"
#include "obs/host_name.hpp"

namespace knnseq::comm {

MpiEnvironment::MpiEnvironment(int& argc, char**& argv) {
  int provided = MPI_THREAD_SINGLE;
  KNNSEQ_MPI(MPI_COMM_NULL, MPI_Init_thread, &argc, &argv, MPI_THREAD_FUNNELED, &provided);
  KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_set_errhandler, MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  if (provided < MPI_THREAD_FUNNELED) {
    throw core::SystemError("this MPI does not provide MPI_THREAD_FUNNELED, which knnseq needs");
  }
}

MpiEnvironment::~MpiEnvironment() {
  if (std::uncaught_exceptions() > 0) return;
  const Watchdog::Guard guard(watchdog_.get(), "MPI_Finalize");
  MPI_Finalize();
}

std::unique_ptr<Communicator> MpiEnvironment::world(double timeout_seconds) {
  int rank = 0;
  KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_rank, MPI_COMM_WORLD, &rank);
  const auto who = fmt::format("rank {} on {}", rank, obs::host_name());
  watchdog_ = std::make_shared<Watchdog>(timeout_seconds, who);
  MPI_Comm copy = MPI_COMM_NULL;
  {
    // The first communication of all: where a network does not let it through, it shows here.
    const Watchdog::Guard guard(*watchdog_, "starting up");
    KNNSEQ_MPI(MPI_COMM_WORLD, MPI_Comm_dup, MPI_COMM_WORLD, &copy);
  }
  return std::make_unique<MpiCommunicator>(copy, watchdog_);
}

void MpiEnvironment::abort(int exit_code) {
  MPI_Abort(MPI_COMM_WORLD, exit_code);
  std::terminate();
}

}  // namespace knnseq::comm
