// Command doctor: what this program and the machines it runs on have, and what fits ill together.
#pragma once

#include <string>

#include "comm/communicator.hpp"
#include "gpu/placement.hpp"

namespace knnseq::stages {

struct DoctorOptions {
  gpu::Wanted device = gpu::Wanted::automatic;
  std::int64_t threads = 1;  ///< of each rank
};

/// Prints it on standard output of rank 0: libraries, ranks and devices, warnings. Needs no config
/// and no run directory. Collective. Throws core::InputError on all ranks, after it has printed,
/// where `device: cuda` cannot be had.
void doctor(comm::Communicator& comm, const DoctorOptions& options);

}  // namespace knnseq::stages
