// Keys and values of earlier decoding steps, as tensors that are moved when hypotheses are.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace knnseq::model {

/// Of all layers, [steps, layers, rows, 2·d]: a step is appended without moving the others, and
/// reordering copies what is filled, of all layers at once.
class KeyValueCache {
 public:
  explicit KeyValueCache(std::int64_t layers = 0) : layers_(layers) {}

  /// Row i continues old row rows[i]; int64 on the cache's device.
  void reorder(const at::Tensor& rows);

  /// Appends a step's [rows, 2·d] of one layer; the layers come in their order. All of this layer's
  /// steps so far, [steps, rows, 2·d].
  at::Tensor append(std::int64_t layer, const at::Tensor& keys_values);

 private:
  std::int64_t layers_;
  at::Tensor data_;         ///< [capacity, layers, rows, 2·d]
  std::int64_t steps_ = 0;  ///< that all layers have
};

}  // namespace knnseq::model
