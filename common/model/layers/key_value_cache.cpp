#include "model/layers/key_value_cache.hpp"

#include <algorithm>

#include <ATen/ATen.h>

#include "core/error.hpp"

namespace knnseq::model {

void KeyValueCache::reorder(const at::Tensor& rows) {
  if (steps_ == 0) return;
  const at::Tensor moved =
      at::empty({data_.size(0), layers_, rows.size(0), data_.size(3)}, data_.options());
  at::Tensor filled = moved.narrow(0, 0, steps_);
  at::index_select_out(filled, data_.narrow(0, 0, steps_), 2, rows);
  data_ = moved;
}

at::Tensor KeyValueCache::append(std::int64_t layer, const at::Tensor& keys_values) {
  constexpr std::int64_t least_capacity = 16;
  KNNSEQ_ASSERT(layer < layers_, "a layer that the cache has no room for");
  if (layer == 0 && (steps_ == 0 || steps_ == data_.size(0))) {
    const at::Tensor larger = at::empty(
        {std::max(least_capacity, 2 * steps_), layers_, keys_values.size(0), keys_values.size(1)},
        keys_values.options());
    if (steps_ > 0) larger.narrow(0, 0, steps_).copy_(data_);
    data_ = larger;
  }
  const at::Tensor own = data_.select(1, layer).narrow(0, 0, steps_ + 1);
  own.select(0, steps_).copy_(keys_values);
  if (layer + 1 == layers_) ++steps_;
  return own;
}

}  // namespace knnseq::model
