// Translations with neighbours on a GPU against those on the CPU.
#include <catch2/catch.hpp>

#include "support/figure.hpp"
#include "support/subset_decoding.hpp"

using namespace knnseq;

namespace {

test::Decoding on_gpu(const std::string& dtype) {
  return {.model = {.dtype = dtype, .device = at::Device(at::kCUDA, 0)},
          .path = gpu::ComputePath::torch,
          .launcher = gpu::make_scan_launcher({true, 0})};
}

void compare_fp32(const auto& decoding) {
  const auto expected = decoding.translate({.model = {.dtype = "fp32"}});
  const auto made = decoding.translate(on_gpu("fp32"));
  REQUIRE(made.size() == expected.size());
  CHECK(test::same_tokens(made, expected) == expected.size());
  for (std::size_t i = 0; i < made.size(); ++i) {
    CHECK(made[i].score == Approx(expected[i].score).margin(1e-3));
  }
}

void compare_bf16(const auto& decoding) {
  const auto expected = decoding.translate({.model = {.dtype = "fp32"}});
  const auto made = decoding.translate(on_gpu("bf16"));
  REQUIRE(made.size() == expected.size());
  test::print_figure(
      "translations in bf16 that are the CPU's in fp32, of " + std::to_string(expected.size()),
      static_cast<double>(test::same_tokens(made, expected)));
  CHECK(test::same_tokens(made, expected) * 10 >= expected.size() * 8);
  const auto again = decoding.translate(on_gpu("bf16"));
  CHECK(test::same_tokens(made, again) == made.size());
}

}  // namespace

TEST_CASE("translations with neighbours are the CPU's") { compare_fp32(test::KnnDecoding()); }

TEST_CASE("in bf16 nearly all are") { compare_bf16(test::KnnDecoding()); }

TEST_CASE("translations in subsets are the CPU's") { compare_fp32(test::SubsetDecoding()); }

TEST_CASE("in bf16 nearly all of those are") { compare_bf16(test::SubsetDecoding()); }
