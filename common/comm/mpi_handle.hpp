// The MPI communicator behind a Communicator, for libraries that want one (parallel HDF5).
// Included by such wrappers only.
#pragma once

#include <mpi.h>

#include "comm/communicator.hpp"

namespace knnseq::comm {

/// MPI_COMM_NULL where the communicator is not MPI's.
MPI_Comm mpi_handle(const Communicator& communicator);

}  // namespace knnseq::comm
