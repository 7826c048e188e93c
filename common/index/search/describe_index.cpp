#include "index/search/describe_index.hpp"

#include <faiss/Index.h>
#include <faiss/utils/utils.h>
#include <fmt/format.h>

#include "index/search/faiss_list_index.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

IndexFacts describe_index() {
  IndexFacts facts;
  facts.faiss_version =
      fmt::format("{}.{}.{}", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH);
  facts.faiss_options = faiss::get_compile_options();
  while (facts.faiss_options.ends_with(' ')) facts.faiss_options.pop_back();
  facts.faiss_gpu = has_faiss_cuda();
  facts.instruction_set = core::to_string(simd_kernels().set);
  return facts;
}

}  // namespace knnseq::index
