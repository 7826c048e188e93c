#include "gpu/integer_upload.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace knnseq::gpu {

std::size_t IntegerUpload::add(std::span<const std::int64_t> values) {
  values_.insert(values_.end(), values.begin(), values.end());
  starts_.push_back(std::ssize(values_));
  return starts_.size() - 2;
}

std::vector<at::Tensor> IntegerUpload::send(at::Device device) const {
  const auto options = at::TensorOptions(at::kLong).pinned_memory(device.is_cuda());
  const at::Tensor host = at::empty({std::ssize(values_)}, options);
  std::ranges::copy(values_, host.mutable_data_ptr<std::int64_t>());
  const at::Tensor there = host.to(device, /*non_blocking=*/true);
  std::vector<at::Tensor> lists;
  for (std::size_t i = 0; i + 1 < starts_.size(); ++i) {
    lists.push_back(there.slice(0, starts_[i], starts_[i + 1]));
  }
  return lists;
}

}  // namespace knnseq::gpu
