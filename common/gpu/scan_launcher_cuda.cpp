#include <c10/cuda/CUDACachingAllocator.h>

#include "gpu/cuda_check.hpp"
#include "gpu/ivfpq_scan.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::gpu {

namespace {

class CudaScanLauncher final : public ScanLauncher {
 public:
  explicit CudaScanLauncher(int index)
      : index_(index),
        multiprocessors_(attribute(cudaDevAttrMultiProcessorCount)),
        shared_bytes_(attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)) {}

  void scan(const ScanJob& job) const override { launch_ivfpq_scan(job, stream()); }

  c10::Device device() const override {
    return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(index_)};
  }

  void* stream() const override { return current_stream(index_); }

  /// What libtorch has set aside without using it is free too once it has given it back.
  std::int64_t free_bytes() const override {
    c10::cuda::CUDACachingAllocator::emptyCache();
    std::size_t free_bytes = 0;
    std::size_t all_bytes = 0;
    cuda_check(cudaMemGetInfo(&free_bytes, &all_bytes), "cudaMemGetInfo");
    return static_cast<std::int64_t>(free_bytes);
  }

  std::int64_t multiprocessors() const override { return multiprocessors_; }
  std::int64_t shared_bytes() const override { return shared_bytes_; }

 private:
  int attribute(cudaDeviceAttr which) const {
    int value = 0;
    cuda_check(cudaDeviceGetAttribute(&value, which, index_), "cudaDeviceGetAttribute");
    return value;
  }

  int index_;
  std::int64_t multiprocessors_;
  std::int64_t shared_bytes_;
};

}  // namespace

std::unique_ptr<ScanLauncher> make_scan_launcher(const Device& device) {
  return std::make_unique<CudaScanLauncher>(device.index);
}

}  // namespace knnseq::gpu
