#include "core/instruction_set.hpp"

namespace knnseq::core {

std::string_view to_string(InstructionSet set) {
  switch (set) {
    case InstructionSet::baseline:
      return "baseline";
    case InstructionSet::avx2:
      return "avx2";
    case InstructionSet::avx512:
      return "avx512";
    case InstructionSet::avx512_vbmi:
      break;
  }
  return "avx512_vbmi";
}

bool can_run(InstructionSet set) {
#if defined(__x86_64__)
  switch (set) {
    case InstructionSet::baseline:
      return true;
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
      return can_run(InstructionSet::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
    case InstructionSet::avx512_vbmi:
      break;
  }
  return can_run(InstructionSet::avx512) && __builtin_cpu_supports("avx512vbmi");
#else
  return set == InstructionSet::baseline;
#endif
}

}  // namespace knnseq::core
