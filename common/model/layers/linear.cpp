#include "model/layers/linear.hpp"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>

#include "model/layers/int8_kernel.hpp"

namespace knnseq::model {

namespace {

// Operators of libtorch's compiler back end, which have no at:: function of their own.
using Attributes = c10::List<std::optional<at::Scalar>>;
using Pack = at::Tensor(const at::Tensor&, std::optional<c10::SymInt>);
using Unary = at::Tensor(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                         c10::string_view, Attributes, std::optional<c10::string_view>);
using Binary = at::Tensor(const at::Tensor&, const at::Tensor&, const at::Tensor&,
                          const std::optional<at::Tensor>&, c10::string_view);

using Int8Pack = at::Tensor(at::Tensor, std::optional<c10::List<std::int64_t>>);
using Int8Unary = at::Tensor(at::Tensor, double, std::int64_t, at::Tensor, at::Tensor, at::Tensor,
                             std::optional<at::Tensor>, double, std::int64_t,
                             std::optional<at::ScalarType>, c10::string_view, Attributes,
                             c10::string_view);
using Int8Binary = at::Tensor(at::Tensor, double, std::int64_t, at::Tensor, at::Tensor, at::Tensor,
                              std::optional<at::Tensor>, std::optional<at::Tensor>, double,
                              std::int64_t, std::optional<at::ScalarType>, double, std::int64_t,
                              c10::string_view, double, c10::string_view, Attributes,
                              c10::string_view);

constexpr const char* int8_pack_name = "onednn::qlinear_prepack";
constexpr const char* int8_linear_name = "onednn::qlinear_pointwise";
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

bool has_vnni() {
  return __builtin_cpu_supports("avx512vnni") != 0 || __builtin_cpu_supports("avxvnni") != 0;
}

/// The operator's rows of W: numbers of 8 bits, and what one of them is worth.
struct Int8Rows {
  at::Tensor numbers, scales;
};

Int8Rows round_rows(const at::Tensor& weight) {
  const int largest = has_vnni() ? 127 : 63;
  const at::Tensor scales =
      std::get<0>(weight.abs().max(/*dim=*/1)).div_(largest).clamp_min_(1e-30);
  return {at::round(weight / scales.unsqueeze(1)).to(at::kChar), scales};
}

Int8Kernel best_int8_kernel() {
  return core::kernels_of_this_cpu([]<core::InstructionSet set>() { return int8_kernel<set>(); })
      .front();
}

/// Unsigned numbers that stand for (number - zero) * scale; signed ones would make oneDNN take a
/// path that is thousands of times slower.
struct Int8Input {
  static constexpr std::int64_t zero = 128;
  at::Tensor numbers;
  double scale;

  explicit Int8Input(const at::Tensor& x) : numbers(at::empty(x.sizes(), at::kByte)), scale() {
    static const Int8Kernel kernel = best_int8_kernel();
    const at::Tensor given = x.contiguous();
    const auto* const values = given.const_data_ptr<float>();
    scale = std::max(static_cast<double>(kernel.largest(values, x.numel())) / 127, 1e-30);
    kernel.round(values, x.numel(), static_cast<float>(1 / scale),
                 numbers.mutable_data_ptr<std::uint8_t>());
  }
};

at::Tensor int8_linear(const at::Tensor& x, const at::Tensor& weight, const Int8Scales& rows,
                       const at::Tensor& bias, c10::string_view then) {
  static const auto op = find<Int8Unary>(int8_linear_name, "");
  const Int8Input input(x);
  return op.call(input.numbers, input.scale, Int8Input::zero, weight, rows.scales, rows.zeros, bias,
                 /*output_scale=*/1,
                 /*output_zero_point=*/0, at::kFloat, then, Attributes(), "");
}

}  // namespace

bool has_int8_linear() {
  try {
    find<Int8Pack>(int8_pack_name, "");
    find<Int8Unary>(int8_linear_name, "");
    find<Int8Binary>(int8_linear_name, "binary");
  } catch (const c10::Error&) {  // not there, or with other arguments
    return false;
  }
  return at::hasMKLDNN();
}

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
  if (kernel == LinearKernel::int8) {
    static const auto pack = find<Int8Pack>(int8_pack_name, "");
    Int8Rows rows = round_rows(weight);
    rows_ = {std::move(rows.scales), at::zeros({weight.size(0)}, at::kLong)};
    weight_ = pack.call(rows.numbers, c10::List<std::int64_t>({usual_rows, weight.size(1)}));
  } else if (kernel == LinearKernel::onednn) {
    static const auto pack = find<Pack>(pack_name, "");
    weight_ = pack.call(weight.contiguous(), usual_rows);
  } else {
    weight_ = weight.t().contiguous();
  }
}

at::Tensor Linear::forward(const at::Tensor& x) const {
  if (kernel_ == LinearKernel::int8) return int8_linear(x, weight_, rows_, bias_, "none");
  if (kernel_ == LinearKernel::onednn) return onednn_linear(x, weight_, bias_, "none");
  return at::addmm(bias_, x, weight_);
}

at::Tensor Linear::forward_relu(const at::Tensor& x) const {
  if (kernel_ == LinearKernel::int8) return int8_linear(x, weight_, rows_, bias_, "relu");
  if (kernel_ == LinearKernel::onednn) return onednn_linear(x, weight_, bias_, "relu");
  if (kernel_ == LinearKernel::fused) return at::_addmm_activation(bias_, x, weight_);
  return at::addmm(bias_, x, weight_).relu_();
}

at::Tensor Linear::forward_add(const at::Tensor& x, const at::Tensor& other) const {
  if (kernel_ == LinearKernel::int8) {
    static const auto op = find<Int8Binary>(int8_linear_name, "binary");
    const Int8Input input(x);
    return op.call(input.numbers, input.scale, Int8Input::zero, weight_, rows_.scales, rows_.zeros,
                   other, bias_, /*output_scale=*/1,
                   /*output_zero_point=*/0, at::kFloat, /*other_scale=*/1, /*other_zp=*/0, "add",
                   /*binary_alpha=*/1, "none", Attributes(), "");
  }
  if (kernel_ == LinearKernel::onednn) {
    static const auto op = find<Binary>(linear_name, "binary");
    return op.call(x, other, weight_, bias_, "add");
  }
  return at::addmm(bias_, x, weight_).add_(other);
}

}  // namespace knnseq::model
