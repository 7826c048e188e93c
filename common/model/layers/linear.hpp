// A linear layer, packed once for oneDNN if libtorch has it.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

namespace knnseq::model {

/// What row counts of matrix products are rounded up to: each that differs needs a kernel compiled
/// (about 1 ms). Few rows, as of a single sentence, are rounded less, since they take as long as
/// what they are rounded to.
constexpr std::int64_t rounded_rows(std::int64_t rows) {
  const std::int64_t multiple = rows > 32 ? 32 : 8;
  return (rows + multiple - 1) / multiple * multiple;
}

/// Which code multiplies. On AVX-512 machines oneDNN's kernels took half the time of MKL's on an
/// AMD Zen 5, and packed weights gain another 5 %.
enum class LinearKernel {
  onednn,
  plain,
  fused,  ///< for GPUs: bias and ReLU as parts of the product; on CPUs the same, not faster
  int8,   ///< oneDNN's products of 8-bit numbers; see Linear
};

/// Whether this libtorch has what LinearKernel::int8 needs.
bool has_int8_linear();

/// On the CPU onednn if this libtorch has it, else plain.
LinearKernel best_linear_kernel();

/// Of the rows of W, for LinearKernel::int8.
struct Int8Scales {
  at::Tensor scales;  ///< fp32 [out]
  at::Tensor zeros;   ///< int64 [out]: the numbers that stand for 0, all 0
};

/// y = x·Wᵀ + b for x [rows, in] contiguous; all of one dtype and on one device, for kernels other
/// than fused the CPU.
///
/// With LinearKernel::int8 weights and inputs are fp32 and get rounded to 8 bits (7 for weights on
/// CPUs without VNNI, whose 16-bit sums of two products would overflow): weights symmetrically
/// with a scale for each output, x with one for all its rows, so what a row becomes depends on the
/// rows beside it. Sums of products are exact, and outputs fp32.
class Linear {
 public:
  Linear() = default;
  /// `weight` [out, in] is copied, `bias` [out] kept.
  Linear(const at::Tensor& weight, const at::Tensor& bias,
         LinearKernel kernel = best_linear_kernel());

  at::Tensor forward(const at::Tensor& x) const;       ///< [rows, out]
  at::Tensor forward_relu(const at::Tensor& x) const;  ///< max(y, 0)
  /// y + other, `other` [rows, out].
  at::Tensor forward_add(const at::Tensor& x, const at::Tensor& other) const;

 private:
  LinearKernel kernel_ = LinearKernel::plain;
  at::Tensor weight_;  ///< packed, or [in, out] for the others
  at::Tensor bias_;
  Int8Scales rows_;  ///< for int8
};

}  // namespace knnseq::model
