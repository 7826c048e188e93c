// What a sentence's results may depend on: not on its company, not on the run of the batch; by the
// code for CPUs and by that for GPUs.
#include <cstring>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "demo_model.hpp"

namespace knnseq::model {

namespace {

bool same_bytes(const at::Tensor& a, const at::Tensor& b) {
  return a.sizes() == b.sizes() &&
         std::memcmp(a.const_data_ptr(), b.const_data_ptr(), a.nbytes()) == 0;
}

}  // namespace

TEST_CASE("a sentence alone and in a batch of other lengths", "[model]") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto targets = reference.sentences("target");
  const auto model =
      testing::load_demo_model(GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch));
  const TeacherForcingOptions options{KeyKind::ffn_in, true, false};
  const TeacherForced together = model->teacher_force(sources, targets, options);
  const EncodedSource encoded = model->encode(sources);
  std::int64_t key = 0;
  std::int64_t state = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const TeacherForced alone = model->teacher_force({&sources[i], 1}, {&targets[i], 1}, options);
    const auto rows = static_cast<std::int64_t>(targets[i].size());
    const auto source_rows = static_cast<std::int64_t>(sources[i].size());
    const auto number = static_cast<std::int64_t>(i);
    INFO("sentence " << i);
    REQUIRE(alone.keys.size(0) == rows);
    CHECK(testing::relative_error(together.keys.narrow(0, key, rows), alone.keys) < 2e-6);
    CHECK(testing::relative_error(together.sentence_keys[number], alone.sentence_keys[0]) < 2e-6);
    REQUIRE(encoded.lengths[i] == source_rows);
    CHECK(testing::relative_error(encoded.states.narrow(0, state, source_rows).mean(0),
                                  alone.sentence_keys[0]) < 2e-6);
    key += rows;
    state += source_rows;
  }
  CHECK(key == together.keys.size(0));
}

TEST_CASE("the same batch gives the same bytes", "[model]") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto targets = reference.sentences("target");
  const TeacherForcingOptions options{KeyKind::ffn_out, true, false};
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  const auto force = [&] {
    return testing::load_demo_model(path)->teacher_force(sources, targets, options);
  };
  const TeacherForced one = force();
  const TeacherForced two = force();
  CHECK(same_bytes(one.keys, two.keys));
  CHECK(same_bytes(one.sentence_keys, two.sentence_keys));
}

TEST_CASE("an empty batch, and sentences that cannot be", "[model]") {
  const auto model =
      testing::load_demo_model(GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch));
  const std::vector<std::vector<TokenId>> none;
  CHECK(model->teacher_force(none, none, {KeyKind::ffn_in, true, true}).keys.size(0) == 0);
  CHECK(model->encode(none).states.size(0) == 0);
  CHECK_FALSE(model->teacher_force(none, none, {}).log_probs.defined());

  using Catch::Contains;
  const std::vector<std::vector<TokenId>> fine = {{300, 0}};
  CHECK_THROWS_WITH(model->encode(std::vector<std::vector<TokenId>>{{300, 0}, {}}),
                    Contains("source sentence 1") && Contains("empty"));
  CHECK_THROWS_WITH(model->encode(std::vector<std::vector<TokenId>>{{8000, 0}}),
                    Contains("token 8000 is outside the vocabulary"));
  const std::vector<std::vector<TokenId>> negative = {{-1, 0}};
  CHECK_THROWS_WITH(model->teacher_force(fine, negative, {}), Contains("target sentence 0"));
  const std::vector<std::vector<TokenId>> longest = {std::vector<TokenId>(512, 300)};
  CHECK(model->teacher_force(longest, longest, {}).keys.size(0) == 512);
  const std::vector<std::vector<TokenId>> too_long = {std::vector<TokenId>(513, 300)};
  CHECK_THROWS_AS(model->teacher_force(too_long, fine, {}), core::InputError);
}

}  // namespace knnseq::model
