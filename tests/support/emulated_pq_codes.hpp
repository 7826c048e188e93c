// The kernel that assigns to PQ centroids, on the host.
#pragma once

#include "support/cuda_emulation.hpp"
// after the emulation:
#include "gpu/pq_codes_kernel.cuh"

namespace knnseq::test {

/// As gpu::assign_pq_codes(), with so many blocks a sub-vector.
inline void emulate_pq_codes(const gpu::PqCodesJob& job, unsigned row_blocks) {
  const auto shared = static_cast<std::size_t>(gpu::pq_shared_bytes(job));
  cuda_emulation::launch({{static_cast<unsigned>(job.m), row_blocks, 1}, gpu::pq_threads, shared},
                         [&] {
                           unsigned char* memory = cuda_emulation::shared_memory();
                           if (job.dsub == 2) return gpu::assign_to_pq<2>(job, memory);
                           if (job.dsub == 4) return gpu::assign_to_pq<4>(job, memory);
                           if (job.dsub == 8) return gpu::assign_to_pq<8>(job, memory);
                           gpu::assign_to_pq<0>(job, memory);
                         });
}

}  // namespace knnseq::test
