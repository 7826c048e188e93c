// Inverted lists in the memory of a device.
#pragma once

#include <cstdint>
#include <memory>

#include <ATen/ATen.h>

#include "gpu/scan_launcher.hpp"
#include "index/core/device_top_k.hpp"
#include "index/search/list_index.hpp"

namespace knnseq::index {

class ListIndexTorch : public ListIndex {
 public:
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const final;

  /// As search(), without a copy to the host and, but with faiss's index, without waiting for the
  /// device: the result is on device() and ready for what is queued there next. rotated and probes
  /// may lie there or on the CPU. Probes that lie on the device are not looked at here: they must
  /// be of lists there are.
  DeviceTopK search_on_device(const at::Tensor& rotated, const Probes& probes,
                              std::int64_t k) const;

  at::Device device() const { return launcher_->device(); }
  std::int64_t entries() const final { return entries_; }

 protected:
  ListIndexTorch(const IndexSpec& spec, std::int64_t entries,
                 std::shared_ptr<const gpu::ScanLauncher> launcher);

  /// Throws core::InputError, saying what would fit, where the device has not that much free
  /// memory.
  void require_memory(std::int64_t bytes) const;

  /// Some of the queries, at least one, and their probes, on the device and contiguous; writes to
  /// `out`. There are entries, and a list a query or more.
  virtual void search_some(const at::Tensor& rotated, const Probes& probes,
                           const DeviceTopK& out) const = 0;

  const gpu::ScanLauncher& launcher() const { return *launcher_; }

 private:
  std::shared_ptr<const gpu::ScanLauncher> launcher_;
  std::int64_t width_;       ///< of a rotated query
  std::int64_t code_bytes_;  ///< of an entry
  std::int64_t entries_;
};

}  // namespace knnseq::index
