// The instruction sets that kernels are compiled for, and the choice between them at run time.
#pragma once

#include <string_view>
#include <vector>

namespace knnseq::core {

/// Ascending: a CPU that can run one can run those before it.
enum class InstructionSet {
  baseline,    ///< what compilers assume; all there is on other processors than x86-64
  avx2,        ///< AVX2 and FMA
  avx512,      ///< AVX-512 F, BW, DQ and VL: Skylake-SP and later
  avx512_vbmi  ///< and VBMI, which permutes bytes: Ice Lake, Zen 4 and later
};

/// "baseline", "avx2", "avx512" or "avx512_vbmi".
std::string_view to_string(InstructionSet set);

/// Whether this CPU can run code that is compiled for it.
bool can_run(InstructionSet set);

/// `make.template operator()<set>()` for each instruction set that this CPU can run, the best
/// first; the last is the baseline's. This is how all kernels are chosen: whoever has kernels makes
/// a table of them with it once, and takes the first.
template <class Make>
auto kernels_of_this_cpu(const Make& make) {
  std::vector kernels = {make.template operator()<InstructionSet::baseline>()};
#if defined(__x86_64__)
  const auto put_first = [&]<InstructionSet set>() {
    if (can_run(set)) kernels.insert(kernels.begin(), make.template operator()<set>());
  };
  put_first.template operator()<InstructionSet::avx2>();
  put_first.template operator()<InstructionSet::avx512>();
  put_first.template operator()<InstructionSet::avx512_vbmi>();
#endif
  return kernels;
}

}  // namespace knnseq::core
