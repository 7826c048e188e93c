// Results on their way from a GPU to the host, beside the computation of the next ones.
#pragma once

#include <functional>
#include <optional>

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

namespace knnseq::stages {

/// Copies on a stream of their own. On the CPU they are plain copies, and nothing is waited for.
class HostCopies {
 public:
  explicit HostCopies(at::Device device);

  /// Host memory which a GPU can copy into by itself (pinned).
  at::Tensor buffer(at::IntArrayRef shape, at::ScalarType dtype) const;

  /// Copies what the current stream will have made of `from` into `to`, converting it on the way.
  void copy(const at::Tensor& to, const at::Tensor& from);

  /// Waits, on any thread, for all copies begun so far; empty if there is nothing to wait
  /// for.
  std::function<void()> arrival() const;

 private:
  at::Device device_;
  std::optional<c10::Stream> stream_;  ///< none on the CPU
};

}  // namespace knnseq::stages
