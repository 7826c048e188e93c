// What a program says whose faiss knows no GPUs.
#include "core/error.hpp"
#include "index/search/faiss_gpu_index.hpp"

namespace knnseq::index {

bool has_faiss_gpu_index() { return false; }

std::unique_ptr<DeviceLists> make_faiss_gpu_index(
    const Codebook& /*codebook*/, std::span<const std::int64_t> /*sizes*/,
    std::shared_ptr<const gpu::ScanLauncher> /*launcher*/, const FaissGpuOptions& /*options*/) {
  KNNSEQ_ASSERT(false, "this faiss knows no GPUs");
}

}  // namespace knnseq::index
