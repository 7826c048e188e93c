#include "index/search/describe_index.hpp"

#include <faiss/Index.h>
#include <faiss/utils/utils.h>
#include <fmt/format.h>

#include "index/search/faiss_gpu_index.hpp"
#include "index/simd/scan_kernels.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

IndexFacts describe_index() {
  IndexFacts facts;
  facts.faiss_version =
      fmt::format("{}.{}.{}", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
  facts.faiss_options = faiss::get_compile_options();
  while (facts.faiss_options.ends_with(' ')) facts.faiss_options.pop_back();
  facts.faiss_gpu = has_faiss_gpu_index();
  facts.scan_kernel = scan_kernels_of_this_cpu().front()->name;
  facts.train_kernel = simd_kernels().name;
  return facts;
}

}  // namespace knnseq::index
