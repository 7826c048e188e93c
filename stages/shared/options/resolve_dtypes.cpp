#include "stages/shared/options/resolve_dtypes.hpp"

namespace knnseq::stages {

void resolve_dtypes(Options& options, comm::Communicator& comm, const gpu::Placement& placement) {
  constexpr int first_with_bf16 = 8;
  const bool has_bf16 = comm.all(placement.facts.major >= first_with_bf16);
  const std::string best = !placement.device.cuda ? "fp32" : has_bf16 ? "bf16" : "fp16";
  const auto settle = [&](std::string& dtype) {
    if (dtype == "auto") dtype = best;
  };
  settle(options.datastore.dtype);
  settle(options.tune.decoding.dtype);
  for (auto& decoding : options.decode) settle(decoding.dtype);
}

}  // namespace knnseq::stages
