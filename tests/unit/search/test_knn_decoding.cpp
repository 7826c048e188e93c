// Decoding with neighbours by the code for GPUs, on the CPU.
#include <catch2/catch.hpp>

#include "support/subset_decoding.hpp"

using namespace knnseq;

namespace {

void compare_with_tensors(const auto& decoding) {
  const auto expected = decoding.translate({.model = {.dtype = "fp32"}});
  const auto made = decoding.translate({.model = {.dtype = "fp32", .path = gpu::ComputePath::torch},
                                        .path = gpu::ComputePath::torch});
  REQUIRE(made.size() == expected.size());
  CHECK(test::same_tokens(made, expected) == expected.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    CHECK(made[i].score == Approx(expected[i].score).margin(1e-4));
  }
}

}  // namespace

TEST_CASE("translations by the code for GPUs are the same") {
  compare_with_tensors(test::KnnDecoding());
}

TEST_CASE("translations in subsets by the code for GPUs are the same") {
  compare_with_tensors(test::SubsetDecoding());
}
