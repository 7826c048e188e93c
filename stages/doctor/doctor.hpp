// Command doctor: reports this build, the hardware it runs on and misconfigurations.
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
/// if `device: cuda` is not available.
void doctor(comm::Communicator& comm, const DoctorOptions& options);

}  // namespace knnseq::stages
