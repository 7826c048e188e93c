// The one place where MPI's return codes are checked.
#pragma once

#include <string>

#include <mpi.h>

namespace knnseq::comm {

/// Throws core::SystemError naming the call, the communicator, the rank and MPI's own text.
void check_mpi(int code, const char* call, MPI_Comm communicator);

}  // namespace knnseq::comm

/// KNNSEQ_MPI(comm, MPI_Barrier, comm): calls and checks.
#define KNNSEQ_MPI(communicator, function, ...) \
  ::knnseq::comm::check_mpi(function(__VA_ARGS__), #function, communicator)
