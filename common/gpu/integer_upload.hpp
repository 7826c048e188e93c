// Sends a GPU all it must know of a batch or step, in one copy and without waiting.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

namespace knnseq::gpu {

/// Lists of integers that go to a device in one copy.
class IntegerUpload {
 public:
  /// Adds a list; returns its number.
  std::size_t add(std::span<const std::int64_t> values);

  /// All lists, by their numbers: int64 tensors on the device. The copy is from pinned memory and
  /// in the order of the current stream, so nothing waits for it.
  std::vector<at::Tensor> send(at::Device device) const;

 private:
  std::vector<std::int64_t> values_;
  std::vector<std::int64_t> starts_{0};
};

}  // namespace knnseq::gpu
