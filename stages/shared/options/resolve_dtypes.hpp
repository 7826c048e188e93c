// What the config leaves to the machine.
#pragma once

#include "comm/communicator.hpp"
#include "gpu/placement.hpp"
#include "stages/shared/options/options.hpp"

namespace knnseq::stages {

/// Gives `dtype: auto` the name that fingerprints keep: fp32 on CPUs; on GPUs bf16, or fp16 where a
/// rank's GPU is older than compute capability 8.0 and has no instructions for bf16. Collective.
void resolve_dtypes(Options& options, comm::Communicator& comm, const gpu::Placement& placement);

}  // namespace knnseq::stages
