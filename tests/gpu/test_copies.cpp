// Copies between host and GPU: what arrives is what was sent, also beside computation.
#include <chrono>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "gpu/integer_upload.hpp"
#include "gpu_device.hpp"
#include "stages/shared/shards/batch_clock.hpp"
#include "stages/shared/shards/host_copies.hpp"
#include "support/figure.hpp"

using namespace knnseq;

namespace {

/// GB/s of the fastest of some rounds.
template <class Body>
double rate_of(double bytes, const Body& body) {
  double best = 0;
  for (int round = 0; round < 4; ++round) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, bytes / seconds.count() / 1e9);
  }
  return best;
}

}  // namespace

TEST_CASE("numbers arrive on the GPU, and results on the host, converted") {
  gpu::IntegerUpload upload;
  std::vector<std::int64_t> numbers(100'000);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::int64_t>(i * i);
  const auto first = upload.add(numbers);
  const auto second = upload.add(std::vector<std::int64_t>{7});
  const auto sent = upload.send(gpu_device);
  CHECK(at::equal(sent[first].cpu(), at::tensor(numbers, at::kLong)));
  CHECK(sent[second].item<std::int64_t>() == 7);

  stages::HostCopies copies(gpu_device);
  const at::Tensor host = copies.buffer({64, 1000, 256}, at::kHalf);
  CHECK(host.is_pinned());
  const at::Tensor factors = at::randn({2000, 2000}, at::TensorOptions(gpu_device));
  stages::BatchClock clock(gpu_device);
  std::vector<at::Tensor> expected;
  for (std::int64_t i = 0; i < 64; ++i) {  // each copy while the next result is computed
    clock.begin();
    const at::Tensor made = at::mm(factors, factors).view({-1}).slice(0, 0, 256'000).mul(i);
    copies.copy(host[i], made.view({1000, 256}));
    clock.end();
    expected.push_back(made.view({1000, 256}).to(at::kHalf));
  }
  if (const auto arrived = copies.arrival()) arrived();
  CHECK(at::equal(host, at::stack(expected).cpu()));
  CHECK(clock.seconds() > 0);
}

TEST_CASE("how fast copies are") {
  const at::Tensor there = at::zeros({std::int64_t{1} << 28}, at::TensorOptions(gpu_device));
  const at::Tensor other = at::empty_like(there);
  const at::Tensor pinned =
      at::empty({std::int64_t{1} << 28}, at::TensorOptions().pinned_memory(true));
  const auto bytes = static_cast<double>(there.nbytes());
  const auto wait = [](const at::Tensor& tensor) { tensor.slice(0, 0, 1).cpu(); };
  test::print_figure("copies on the device, read and written",
                     rate_of(2 * bytes,
                             [&] {
                               other.copy_(there);
                               wait(other);
                             }),
                     "GB/s");
  test::print_figure("copies from pinned memory",
                     rate_of(bytes,
                             [&] {
                               there.copy_(pinned, /*non_blocking=*/true);
                               wait(there);
                             }),
                     "GB/s");
  const double back = rate_of(bytes, [&] { pinned.copy_(there); });
  test::print_figure("copies to pinned memory", back, "GB/s");
  CHECK(back > 0);
}
