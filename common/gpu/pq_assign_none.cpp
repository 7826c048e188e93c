// What a build without CUDA says of the assignment to PQ centroids.
#include "core/error.hpp"
#include "gpu/pq_assign.hpp"

namespace knnseq::gpu {

void pq_assign(const PqAssignJob& /*job*/) { KNNSEQ_ASSERT(false, "this build knows no devices"); }

}  // namespace knnseq::gpu
