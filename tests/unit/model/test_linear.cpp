// The kernels of the linear layer against a product in double.
#include <limits>

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

TEST_CASE("8-bit linear layers are exact but for the rounding of weights and inputs", "[model]") {
  REQUIRE(has_int8_linear());
  at::manual_seed(10);
  const at::Tensor weight = at::randn({48, 40});
  weight[5].zero_();
  at::Tensor bias = at::randn({48});
  bias[7] = -std::numeric_limits<float>::infinity();
  const Linear linear(weight, bias, LinearKernel::int8);
  for (const std::int64_t rows : {1, 7, 32, 100}) {
    const at::Tensor x = at::randn({rows, 40});
    const at::Tensor other = at::randn({rows, 48});
    const at::Tensor exact = at::addmm(bias, x, weight.t());
    // Half a step of each weight (63 or 127 to the largest) and of each input (127).
    const at::Tensor step_of_weight = std::get<0>(weight.abs().max(1)) / 63;
    const at::Tensor step_of_input = x.abs().max() / 127;
    const at::Tensor bound = 0.51 * (at::mm(x.abs().sum(1, true), step_of_weight.unsqueeze(0)) +
                                     step_of_input * (weight.abs().sum(1) + 40 * step_of_weight));
    const auto within = [&](const at::Tensor& made, const at::Tensor& expected) {
      const at::Tensor same = made == expected;  // also where both are infinite
      return (same | ((made - expected).abs() <= bound)).all().item<bool>();
    };
    INFO(rows << " rows");
    const at::Tensor made = linear.forward(x);
    CHECK(within(made, exact));
    CHECK(at::allclose(linear.forward_relu(x), made.relu()));
    CHECK(at::allclose(linear.forward_add(x, other), made + other));
    CHECK(!made.equal(exact));
    // Sums are exact, so other rows change a row only through the scale, which the largest sets;
    // but other kernels may scale in another order.
    const auto largest = std::get<0>(x.abs().max(1)).argmax().item<std::int64_t>();
    CHECK(at::allclose(linear.forward(x.narrow(0, largest, 1)), made.narrow(0, largest, 1)));
  }
  CHECK(linear.forward(at::zeros({2, 40})).equal(bias.expand({2, 48})));
}

}  // namespace knnseq::model
