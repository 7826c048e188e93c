#include "model/layers/key_value_cache.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace knnseq::model {

void KeyValueCache::reorder(const at::Tensor& rows) {
  if (steps_ == 0) return;
  const at::Tensor moved = at::empty({data_.size(0), rows.size(0), data_.size(2)}, data_.options());
  at::Tensor filled = moved.narrow(0, 0, steps_);
  at::index_select_out(filled, data_.narrow(0, 0, steps_), 1, rows);
  data_ = moved;
}

at::Tensor KeyValueCache::append(const at::Tensor& keys_values) {
  constexpr std::int64_t least_capacity = 16;
  if (steps_ == 0 || steps_ == data_.size(0)) {
    const at::Tensor larger =
        at::empty({std::max(least_capacity, 2 * steps_), keys_values.size(0), keys_values.size(1)},
                  keys_values.options());
    if (steps_ > 0) larger.narrow(0, 0, steps_).copy_(data_);
    data_ = larger;
  }
  data_[steps_++].copy_(keys_values);
  return data_.narrow(0, 0, steps_);
}

}  // namespace knnseq::model
