#include "model/layers/linear.hpp"

#include <optional>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace knnseq::model {

namespace {

// Operators of libtorch's compiler back end, which have no at:: function of their own.
using Attributes = c10::List<std::optional<at::Scalar>>;
using Pack = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using Unary = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                         c10::string_view, Attributes, std::optional<c10::string_view>);
using Binary = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                          const std::optional<at::Tensor>&, c10::string_view);

constexpr const char* pack_name = "mkldnn::_reorder_linear_weight";
constexpr const char* linear_name = "mkldnn::_linear_pointwise";

template <class Signature>
c10::TypedOperatorHandle<Signature> find(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

at::Tensor onednn_linear(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                         c10::string_view then) {
  static const auto op = find<Unary>(linear_name, "");
  return op.call(x, weight, bias, then, Attributes(), "");
}

}  // namespace

LinearKernel best_linear_kernel() {
  auto& dispatcher = c10::Dispatcher::singleton();
  const bool there = at::hasMKLDNN() && dispatcher.findSchema({pack_name, ""}) &&
                     dispatcher.findSchema({linear_name, ""}) &&
                     dispatcher.findSchema({linear_name, "binary"});
  return there ? LinearKernel::onednn : LinearKernel::plain;
}

Linear::Linear(const at::Tensor& weight, const at::Tensor& bias, LinearKernel kernel)
    : kernel_(kernel), bias_(bias) {
  constexpr std::int64_t usual_rows = 512;
  if (kernel == LinearKernel::onednn) {
    static const auto pack = find<Pack>(pack_name, "");
    weight_ = pack.call(weight.contiguous(), usual_rows);
  } else {
    weight_ = weight.t().contiguous();
  }
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  if (kernel_ == LinearKernel::onednn) return onednn_linear(x, weight_, bias_, "none");
  return at::addmm(bias_, x, weight_);
}

at::Tensor Linear::forward_relu(const at::Tensor& x) const {
  if (kernel_ == LinearKernel::onednn) return onednn_linear(x, weight_, bias_, "relu");
  if (kernel_ == LinearKernel::fused) return at::_addmm_activation(bias_, x, weight_);
  return at::addmm(bias_, x, weight_).relu_();
}

at::Tensor Linear::forward_add(const at::Tensor& x, const at::Tensor& other) const {
  if (kernel_ == LinearKernel::onednn) {
    static const auto op = find<Binary>(linear_name, "binary");
    return op.call(x, other, weight_, bias_, "add");
  }
  return at::addmm(bias_, x, weight_).add_(other);
}

}  // namespace knnseq::model
