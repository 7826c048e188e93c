#include "index/pq_kernel.hpp"

namespace knnseq::index {

void pq_kernel_baseline(const PqChunk& chunk) { assign_chunk_any<4, 2>(chunk); }

}  // namespace knnseq::index
