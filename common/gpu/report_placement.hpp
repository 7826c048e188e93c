// Says which rank computes on which GPU.
#pragma once

#include "comm/communicator.hpp"
#include "gpu/placement.hpp"
#include "obs/log.hpp"

namespace knnseq::gpu {

/// Logs one line for each host with GPUs, and a warning if ranks share one; nothing if ranks
/// compute on CPUs. Collective.
void report_placement(comm::Communicator& comm, obs::Log& log, const Placement& placement);

}  // namespace knnseq::gpu
