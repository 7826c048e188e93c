// All log-softmax kernels of this CPU against libtorch's in double.
#include <cmath>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/instruction_set.hpp"
#include "demo_model.hpp"
#include "model/layers/log_softmax_kernel.hpp"

namespace knnseq::model {

TEST_CASE("log-softmax kernels agree with libtorch", "[model]") {
  const auto kernels = core::kernels_of_this_cpu(
      []<core::InstructionSet set>() { return log_softmax_kernel<set>(); });
  at::manual_seed(5);
  for (const LogSoftmaxKernel& kernel : kernels) {
    INFO(core::to_string(kernel.set));
    for (const std::int64_t count : {1, 2, 15, 16, 17, 31, 32, 33, 65, 8002}) {
      INFO("of " << count);
      const at::Tensor logits = at::randn({count}) * 4 + 30;
      at::Tensor row = logits.clone();
      kernel.log_softmax(row.mutable_data_ptr<float>(), count);
      CHECK(testing::largest_difference(row, at::log_softmax(logits.to(at::kDouble), 0)) < 5e-6);
    }
    // Tokens without a chance, some far below what exp() can tell from 0.
    at::Tensor row = at::tensor({1.0f, -INFINITY, 0.0f, -200.0f});
    kernel.log_softmax(row.mutable_data_ptr<float>(), 4);
    CHECK(row[0].item<float>() == Approx(-0.313262));
    CHECK(row[1].item<float>() == -INFINITY);
    CHECK(row[2].item<float>() == Approx(-1.313262));
    CHECK(row[3].item<float>() == Approx(-201.313262));
    for (const float value : {NAN, INFINITY}) {
      at::Tensor bad = at::randn({40});
      bad[37] = value;
      kernel.log_softmax(bad.mutable_data_ptr<float>(), 40);
      CHECK(bad.isnan().all().item<bool>());
    }
    at::Tensor none = at::full({40}, -INFINITY);
    kernel.log_softmax(none.mutable_data_ptr<float>(), 40);
    CHECK(none.isnan().all().item<bool>());
  }
}

}  // namespace knnseq::model
