// Keys and values of earlier decoding steps, as tensors that are moved when hypotheses are.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace knnseq::model {

/// Of one layer, [steps, rows, 2·d]: a step is appended without moving the others, and reordering
/// copies what is filled.
class KeyValueCache {
 public:
  /// Row i continues old row rows[i]; int64 on the cache's device.
  void reorder(const at::Tensor& rows);

  /// Appends a step's [rows, 2·d]; all steps so far, [steps, rows, 2·d].
  at::Tensor append(const at::Tensor& keys_values);

 private:
  at::Tensor data_;  ///< [capacity, rows, 2·d]
  std::int64_t steps_ = 0;
};

}  // namespace knnseq::model
