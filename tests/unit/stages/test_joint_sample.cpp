#include <catch2/catch.hpp>

#include "core/entry_id.hpp"
#include "stages/shared/sample/read_sample.hpp"

using namespace knnseq;
using Rows = std::vector<std::int64_t>;

TEST_CASE("a joint sample takes of each datastore in proportion to its entries") {
  CHECK(stages::divide_sample(100, {600, 300, 100}) == Rows{60, 30, 10});
  CHECK(stages::divide_sample(10, {1, 1, 1}) == Rows{1, 1, 1});  // all there is
  CHECK(stages::divide_sample(2, {1, 1, 1}) == Rows{0, 1, 1});
  CHECK(stages::divide_sample(5, {0, 7}) == Rows{0, 5});
  CHECK(stages::divide_sample(5, {0}) == Rows{0});
  const auto half = core::max_entry_number / 2;
  CHECK(stages::divide_sample(core::max_entry_number, {half, half}) == Rows{half, half});
}

TEST_CASE("keys of several types are trained on in fp32") {
  std::vector<stages::SamplePart> parts(2);
  CHECK(stages::joint_type(parts) == stages::KeyType::fp16);
  parts[1].datastore.type = stages::KeyType::bf16;
  CHECK(stages::joint_type(parts) == stages::KeyType::fp32);
}
