// The kernels of the linear layer against a product in double.
#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "model/layers/linear.hpp"

namespace knnseq::model {

TEST_CASE("linear layers agree with a product in double", "[model]") {
  at::manual_seed(9);
  const at::Tensor weight = at::randn({48, 40});
  const at::Tensor bias = at::randn({48});
  std::vector<LinearKernel> kernels = {LinearKernel::plain, LinearKernel::fused};
  if (best_linear_kernel() != LinearKernel::plain) kernels.push_back(best_linear_kernel());
  for (const LinearKernel kernel : kernels) {
    const Linear linear(weight, bias, kernel);
    for (const std::int64_t rows : {1, 7, 32, 100}) {
      const at::Tensor x = at::randn({rows, 40});
      const at::Tensor other = at::randn({rows, 48});
      const at::Tensor kept = other.clone();
      const at::Tensor exact =
          x.to(at::kDouble).matmul(weight.to(at::kDouble).t()) + bias.to(at::kDouble);
      const auto difference = [&](const at::Tensor& made, const at::Tensor& expected) {
        return (made.to(at::kDouble) - expected).abs().max().item<double>();
      };
      INFO("kernel " << static_cast<int>(kernel) << ", " << rows << " rows");
      CHECK(difference(linear.forward(x), exact) < 1e-4);
      CHECK(difference(linear.forward_relu(x), exact.relu()) < 1e-4);
      CHECK(difference(linear.forward_add(x, other), exact + other) < 1e-4);
      CHECK(other.equal(kept));
    }
  }
}

}  // namespace knnseq::model
