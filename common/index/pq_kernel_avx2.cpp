#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#endif
#include "index/pq_kernel.hpp"

namespace knnseq::index {

void pq_kernel_avx2(const PqChunk& chunk) { assign_chunk_any<8, 2>(chunk); }

}  // namespace knnseq::index
