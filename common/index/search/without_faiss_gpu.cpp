// What programs link in place of faiss_list_index_cuda.cpp whose faiss was built without GPUs.
#include "core/error.hpp"
#include "index/search/faiss_list_index.hpp"

namespace knnseq::index {

bool has_faiss_cuda() { return false; }

std::unique_ptr<ListIndexTorch> make_faiss_list_index_cuda(
    const Codebook& /*codebook*/, std::span<const std::int64_t> /*sizes*/,
    std::shared_ptr<const gpu::ScanLauncher> /*launcher*/, const FaissCudaOptions& /*options*/) {
  KNNSEQ_ASSERT(false, "this faiss has no GPU support");
}

}  // namespace knnseq::index
