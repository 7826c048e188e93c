#include <numeric>

#include <catch2/catch.hpp>

#include "support/cuda_emulation.hpp"

using namespace knnseq;

TEST_CASE("an emulated block adds numbers up through warps, shared memory and atomics") {
  std::vector<int> numbers(5 * 96);
  std::iota(numbers.begin(), numbers.end(), 1);
  unsigned long long total = 0;
  std::vector<unsigned> ballots(5, 0);
  cuda_emulation::launch({{5, 1, 1}, 96, 3 * sizeof(int)}, [&] {
    auto* sums = reinterpret_cast<int*>(cuda_emulation::shared_memory());
    int sum = numbers[blockIdx.x * blockDim.x + threadIdx.x];
    for (unsigned mask = 16; mask > 0; mask /= 2) sum += __shfl_xor_sync(~0U, sum, mask);
    const unsigned odd = __ballot_sync(~0U, threadIdx.x % 2 == 1);
    if (threadIdx.x % 32 == 0) sums[threadIdx.x / 32] = sum;
    __syncthreads();
    if (threadIdx.x != 0) return;
    ballots[blockIdx.x] = odd;
    atomicAdd(&total, static_cast<unsigned long long>(sums[0] + sums[1] + sums[2]));
  });
  CHECK(total == 480 * 481 / 2);
  CHECK(ballots == std::vector<unsigned>(5, 0xAAAAAAAAU));
}

TEST_CASE("shuffles up and down leave lanes at the ends as they are") {
  std::vector<int> up(32);
  std::vector<int> down(32);
  cuda_emulation::launch({{1, 1, 1}, 32, 0}, [&] {
    const int lane = static_cast<int>(threadIdx.x);
    up[threadIdx.x] = __shfl_up_sync(~0U, lane, 2);
    down[threadIdx.x] = __shfl_down_sync(~0U, lane, 2);
  });
  CHECK(up[0] == 0);
  CHECK(up[1] == 1);
  CHECK(up[31] == 29);
  CHECK(down[0] == 2);
  CHECK(down[30] == 30);
  CHECK(down[31] == 31);
}

TEST_CASE("a block's vote reaches all its threads, each time anew") {
  std::vector<int> answers(3 * 64);
  cuda_emulation::launch({{1, 1, 1}, 64, 0}, [&] {
    for (unsigned round = 0; round < 3; ++round) {
      if (threadIdx.x < 32) __ballot_sync(~0U, true);  // warps need not be in step
      answers[round * 64 + threadIdx.x] = __syncthreads_or(round == 1 && threadIdx.x == 50);
    }
  });
  for (std::size_t i = 0; i < answers.size(); ++i) CHECK(answers[i] == (i / 64 == 1 ? 1 : 0));
}

TEST_CASE("threads that wait in vain are an error that says who waits where") {
  const auto with = [](const std::function<void()>& body) {
    return [body] { cuda_emulation::launch({{1, 1, 1}, 64, 0}, body); };
  };
  using Catch::Contains;
  CHECK_THROWS_WITH(with([] {
                      if (threadIdx.x < 40) __syncthreads();
                    })(),
                    Contains("from 0 at __syncthreads") && Contains("from 40 gone"));
  CHECK_THROWS_WITH(with([] {
                      if (threadIdx.x % 32 < 16) {
                        __syncwarp();
                      } else {
                        __shfl_xor_sync(~0U, 1, 1);
                      }
                    })(),
                    Contains("from 0 at __syncwarp") && Contains("from 16 at a shuffle"));
  CHECK_THROWS_WITH(with([] { throw std::runtime_error("out of range"); })(), "out of range");
}

TEST_CASE("shared memory starts out as garbage") {
  std::uint32_t first = 0;
  cuda_emulation::launch({{1, 1, 1}, 32, 4}, [&] {
    if (threadIdx.x == 0) std::memcpy(&first, cuda_emulation::shared_memory(), sizeof(first));
  });
  CHECK(first == 0xA5A5A5A5U);
}
