#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx512f,fma")
#endif
#include "index/pq_kernel.hpp"

namespace knnseq::index {

void pq_kernel_avx512(const PqChunk& chunk) { assign_chunk_any<16, 4>(chunk); }

}  // namespace knnseq::index
