#include "stages/shared/shards/batch_clock.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>

namespace knnseq::stages {

namespace {

c10::Event now(c10::Device device) {
  c10::Event event(device.type(), c10::EventFlag::BACKEND_DEFAULT);  // the one that keeps time
  event.record(c10::impl::VirtualGuardImpl(device.type()).getStream(device));
  return event;
}

}  // namespace

void BatchClock::begin() {
  if (device_.is_cpu()) {
    host_ = {};
  } else {
    batches_.emplace_back(now(device_), c10::Event(device_.type()));
  }
}

void BatchClock::end() {
  if (device_.is_cpu()) {
    host_seconds_ += host_.seconds();
  } else {
    batches_.back().second = now(device_);
  }
}

double BatchClock::seconds() const {
  double milliseconds = 0;
  for (const auto& [begun, ended] : batches_) {
    ended.synchronize();
    milliseconds += begun.elapsedTime(ended);
  }
  return host_seconds_ + milliseconds / 1e3;
}

}  // namespace knnseq::stages
