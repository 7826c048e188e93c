#include <c10/cuda/CUDAStream.h>

#include "gpu/pq_assign.hpp"

namespace knnseq::gpu {

void pq_assign(const PqAssignJob& job) {
  launch_pq_assign(job, c10::cuda::getCurrentCUDAStream().stream());
}

}  // namespace knnseq::gpu
