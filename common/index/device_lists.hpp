// Inverted lists in the memory of a device.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "index/list_index.hpp"

namespace knnseq::index {

/// A TopK whose rows stay on the device.
struct DeviceTopK {
  at::Tensor distances;  ///< fp32 [q, k]; missing_distance where there are fewer
  at::Tensor ids;        ///< int64 [q, k], packed entry ids; missing_id where there are fewer
};

class DeviceLists : public ListIndex {
 public:
  /// As search(), without a copy to the host and without waiting for the device: the result is on
  /// device() and ready for what is queued there next. rotated and probes may lie there or on the
  /// CPU. Probes that lie on the device are not looked at here: they must be of lists there are.
  virtual DeviceTopK search_on_device(const at::Tensor& rotated, const Probes& probes,
                                      std::int64_t k) const = 0;

  virtual at::Device device() const = 0;
};

}  // namespace knnseq::index
