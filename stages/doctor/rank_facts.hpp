// What one rank sees of itself and of its machine.
#pragma once

#include "core/files.hpp"
#include "gpu/placement.hpp"

namespace knnseq::stages {

struct RankFacts {
  std::string host = {};
  std::int64_t host_cores = 0;       ///< of the machine, online
  std::int64_t allowed_cores = 0;    ///< that this rank may run on
  std::int64_t first_core = 0;       ///< the lowest of them
  std::int64_t memory_bytes = 0;     ///< of the machine
  std::string cpu_capability = {};   ///< for which libtorch chose its code, as AVX512
  std::string instruction_set = {};  ///< of knnseq's own kernels
  std::string proc_bind = {};        ///< OMP_PROC_BIND; empty: not set
  std::int64_t gpus = 0;             ///< that this rank sees
  std::int64_t gpu = -1;             ///< that it computes on; −1: on the CPU
  std::string gpu_name = {};
  std::string gpu_uuid = {};
  std::string gpu_capability = {};  ///< compute capability, as 9.0
  std::int64_t gpu_bytes = 0;       ///< its memory
  std::int64_t gpu_free_bytes = 0;

  bool operator==(const RankFacts&) const = default;
};

NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(RankFacts, host, host_cores, allowed_cores, first_core,
                                   memory_bytes, cpu_capability, instruction_set, proc_bind, gpus,
                                   gpu, gpu_name, gpu_uuid, gpu_capability, gpu_bytes,
                                   gpu_free_bytes)

/// Of this rank. Throws core::SystemError if a driver refuses to answer.
RankFacts rank_facts(const gpu::Placement& placement);

}  // namespace knnseq::stages
