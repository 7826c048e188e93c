#include "stages/shared/shards/host_copies.hpp"

#include <memory>

#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace knnseq::stages {

HostCopies::HostCopies(at::Device device) : device_(device) {
  if (device.is_cpu()) return;
  stream_ = c10::impl::VirtualGuardImpl(device.type()).getStreamFromGlobalPool(device);
}

at::Tensor HostCopies::buffer(at::IntArrayRef shape, at::ScalarType dtype) const {
  return at::empty(shape, at::TensorOptions(dtype).pinned_memory(stream_.has_value()));
}

void HostCopies::copy(const at::Tensor& to, const at::Tensor& from) {
  if (!stream_) {
    to.copy_(from);
    return;
  }
  const at::Tensor converted = from.to(to.scalar_type()).contiguous();
  c10::Event made(device_.type());
  made.record(c10::impl::VirtualGuardImpl(device_.type()).getStream(device_));
  made.block(*stream_);
  const c10::StreamGuard guard(*stream_);
  to.copy_(converted, /*non_blocking=*/true);
  converted.record_stream(*stream_);  // its memory must not be used again before
}

std::function<void()> HostCopies::arrival() const {
  if (!stream_) return {};
  const auto arrived = std::make_shared<c10::Event>(device_.type());
  arrived->record(*stream_);
  return [arrived] { arrived->synchronize(); };
}

}  // namespace knnseq::stages
