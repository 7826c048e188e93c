#include "index/simd/sum_kernel.hpp"

#include "index/simd/add_rounded.hpp"

namespace knnseq::index {

template <>
SumKernel sum_kernel<core::compiled_for>() {
  return add_rounded<0>;
}

}  // namespace knnseq::index
