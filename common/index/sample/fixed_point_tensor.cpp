#include "index/sample/fixed_point_tensor.hpp"

namespace knnseq::index {

at::Tensor round_tensor(const FixedPoint& fixed_point, const at::Tensor& values) {
  return values.to(at::kDouble).mul_(fixed_point.scale()).round_().to(at::kLong);
}

at::Tensor value_tensor(const FixedPoint& fixed_point, const at::Tensor& sums) {
  return sums.to(at::kDouble).div_(fixed_point.scale());
}

}  // namespace knnseq::index
