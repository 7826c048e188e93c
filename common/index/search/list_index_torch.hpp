// Inverted lists in the memory of a device.
#pragma once

#include <cstdint>
#include <memory>

#include <ATen/ATen.h>

#include "gpu/scan_launcher.hpp"
#include "index/core/top_k.hpp"
#include "index/search/list_index.hpp"

namespace knnseq::index {

class ListIndexTorch : public ListIndex {
 public:
  /// Except with faiss's index it does not wait for the device: the result is ready for what is
  /// queued there next. Queries and probes may also lie on the CPU. Probes that lie on the device
  /// are not looked at here: they must be of lists there are.
  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const final;

  at::Device device() const final { return launcher_->device(); }
  std::int64_t entries() const final { return entries_; }

 protected:
  ListIndexTorch(const IndexSpec& spec, std::int64_t entries,
                 std::shared_ptr<const gpu::ScanLauncher> launcher);

  /// Throws core::InputError, saying what would fit, if the device does not have that much free
  /// memory.
  void require_memory(std::int64_t bytes) const;

  /// Searches some of the queries, at least one, with their probes, on the device and contiguous;
  /// writes all of `out`. There are entries, and at least one list per query.
  virtual void search_some(const at::Tensor& rotated, const Probes& probes,
                           const TopK& out) const = 0;

  const gpu::ScanLauncher& launcher() const { return *launcher_; }

 private:
  std::shared_ptr<const gpu::ScanLauncher> launcher_;
  std::int64_t width_;       ///< of a rotated query
  std::int64_t code_bytes_;  ///< of an entry
  std::int64_t entries_;
};

}  // namespace knnseq::index
