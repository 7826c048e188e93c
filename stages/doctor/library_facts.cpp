#include "stages/doctor/library_facts.hpp"

#include <filesystem>

#include <ATen/Version.h>
#include <dlfcn.h>

#include "core/allocator.hpp"
#include "gpu/collectives.hpp"
#include "gpu/device.hpp"

namespace knnseq::stages {

namespace {

/// The value of NAME=value in what libtorch says of its build.
std::string build_setting(const std::string& settings, const std::string& name) {
  const auto at = settings.find(name + "=");
  if (at == settings.npos) return "unknown";
  const auto begin = at + name.size() + 1;
  return settings.substr(begin, settings.find_first_of(", \n", begin) - begin);
}

/// The file from which BLAS's sgemm is taken: libtorch and faiss both call it by that name.
std::string library_of_sgemm() {
  void* const sgemm = dlsym(RTLD_DEFAULT, "sgemm_");
  Dl_info info = {};
  if (sgemm == nullptr || dladdr(sgemm, &info) == 0) return "unknown";
  return std::filesystem::path(info.dli_fname).filename();
}

}  // namespace

LibraryFacts library_facts() {
  LibraryFacts facts;
  facts.version = KNNSEQ_VERSION;
  facts.build_type = KNNSEQ_BUILD_TYPE;
  facts.cuda = gpu::built_with_cuda();
  facts.nccl = gpu::nccl_version();
  facts.mpi = comm::describe_mpi();
  facts.hdf5 = store::describe_hdf5();
  facts.index = index::describe_index();
  const std::string settings = at::show_config();
  facts.libtorch = build_setting(settings, "TORCH_VERSION");
  facts.blas = build_setting(settings, "BLAS_INFO");
  facts.blas_file = library_of_sgemm();
  facts.allocator = core::describe_allocator();
  return facts;
}

}  // namespace knnseq::stages
