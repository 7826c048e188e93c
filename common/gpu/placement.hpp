// Which rank computes on which device, and the log of it.
#pragma once

#include "comm/communicator.hpp"
#include "core/enum_names.hpp"
#include "gpu/device.hpp"
#include "obs/log.hpp"

namespace knnseq::gpu {

/// What the config's `device` asks for.
enum class Wanted {
  automatic,  ///< a GPU if this build and every rank's machine have one, else the CPU
  cpu,
  cuda
};

constexpr auto names_of(Wanted) {
  return core::enum_names<Wanted>(
      {{Wanted::automatic, "auto"}, {Wanted::cpu, "cpu"}, {Wanted::cuda, "cuda"}});
}

/// This rank's device.
struct Placement {
  Device device;
  DeviceFacts facts = {};  ///< of a CUDA device
  int local_rank = 0;      ///< among the ranks of this host
  int local_ranks = 1;
  bool shares_gpu = false;  ///< on any rank: collectives then go through the host
};

/// Rank i of a host gets the i-th device that it sees, starting over if there are more ranks than
/// devices; this also works if Slurm shows each rank one device. Collective; all ranks compute on
/// the same kind of device. Throws core::InputError on all ranks for Wanted::cuda in a build
/// without CUDA, or if a rank sees no device; then it names the host.
Placement place_rank(comm::Communicator& comm, Wanted wanted);

/// Logs one line for each host with GPUs, and a warning if ranks share one; nothing if ranks
/// compute on CPUs. Collective.
void report_placement(comm::Communicator& comm, obs::Log& log, const Placement& placement);

}  // namespace knnseq::gpu
