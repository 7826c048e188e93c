// One rank, no MPI call: for tests and for work that a rank does alone.
#pragma once

#include <memory>

#include "comm/communicator.hpp"

namespace knnseq::comm {

std::unique_ptr<Communicator> make_self_communicator();

/// One that lives as long as the program.
Communicator& self_communicator();

}  // namespace knnseq::comm
