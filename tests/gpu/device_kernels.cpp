#include <ATen/ATen.h>

#include "support/kernels_under_test.hpp"

namespace knnseq::test {

namespace {

const at::Device device(at::kCUDA, 0);

/// A copy in the device's memory, which copy_back() returns.
template <class T>
class DeviceCopy {
 public:
  DeviceCopy(T* host, std::int64_t size) : host_(host), bytes_() {
    if (host == nullptr) return;
    bytes_ = at::from_blob(const_cast<std::remove_const_t<T>*>(host),
                           {size * static_cast<std::int64_t>(sizeof(T))}, at::kByte)
                 .to(device);
  }
  T* data() const {
    return bytes_.defined() ? static_cast<T*>(bytes_.mutable_data_ptr()) : nullptr;
  }
  void copy_back() const {
    if (host_ == nullptr) return;
    at::from_blob(host_, bytes_.sizes(), at::kByte).copy_(bytes_);
  }

 private:
  T* host_;
  at::Tensor bytes_;
};

}  // namespace

std::shared_ptr<const gpu::ScanLauncher> launcher_under_test() {
  return gpu::make_scan_launcher({true, 0});
}

void run_pq_codes(const gpu::PqCodesJob& job, unsigned /*row_blocks*/) {
  const std::int64_t clusters = job.m * job.centroids;
  const DeviceCopy<const float> x(job.x, job.n * job.m * job.dsub);
  const DeviceCopy<const float> packed(job.packed, clusters * (1 + job.dsub));
  const DeviceCopy<std::uint8_t> codes(job.codes, job.n * job.m);
  const DeviceCopy<std::int64_t> sums(job.sums, clusters * job.dsub);
  const DeviceCopy<std::int64_t> counts(job.counts, clusters);
  gpu::PqCodesJob on_device = job;
  on_device.x = x.data();
  on_device.packed = packed.data();
  on_device.codes = codes.data();
  on_device.sums = sums.data();
  on_device.counts = counts.data();
  gpu::assign_pq_codes(on_device);
  codes.copy_back();
  sums.copy_back();
  counts.copy_back();
}

}  // namespace knnseq::test
