// The MPI communicator behind a Communicator, for libraries that want one (parallel HDF5).
// Included by such wrappers only.
#pragma once

#include <memory>

#include <mpi.h>

#include "comm/communicator.hpp"
#include "comm/watchdog.hpp"

namespace knnseq::comm {

/// MPI_COMM_NULL if the communicator is not MPI's.
MPI_Comm mpi_handle(const Communicator& communicator);

/// The watchdog for MPI calls that such a library makes; nullptr if the communicator is not MPI's.
std::shared_ptr<Watchdog> watchdog_of(const Communicator& communicator);

}  // namespace knnseq::comm
