// The fake model keeps the interface's promises.
#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "support/fake_model.hpp"

namespace knnseq::model {

TEST_CASE("the fake model's steps equal its teacher forcing, bit by bit", "[model]") {
  test::FakeModel model({.width = 6, .vocab_size = 12, .seed = 4});
  const std::vector<std::vector<TokenId>> sources = {{3, 4, 0}, {5, 0}, {5, 6, 7, 0}};
  const std::vector<std::vector<TokenId>> targets = {{1, 2, 0}, {2, 2, 0}, {9, 1, 0}};
  for (const KeyKind key : {KeyKind::ffn_in, KeyKind::ffn_out}) {
    const TeacherForced forced = model.teacher_force(sources, targets, {key, true, true});
    CHECK(forced.sentence_keys.sizes() == at::IntArrayRef{3, 6});
    const auto state = model.start(model.encode(sources), 1, key);
    std::vector<TokenId> inputs(3, model.info().decoder_start);
    for (std::int64_t t = 0; t < 3; ++t) {
      const StepOutput out = model.step(*state, inputs);
      for (std::int64_t i = 0; i < 3; ++i) {
        CHECK(out.queries[i].equal(forced.keys[3 * i + t]));
        CHECK(out.log_probs[i].equal(forced.log_probs[3 * i + t]));
        CHECK(out.log_probs[i].exp().sum().item<double>() == Approx(1.0));
        const auto row = static_cast<std::size_t>(i);
        inputs[row] = targets[row][t];
      }
    }
  }
  const auto kept = model.teacher_force(sources, targets, {KeyKind::ffn_in}).keys;
  CHECK_FALSE(kept.equal(model.teacher_force(sources, targets, {KeyKind::ffn_out}).keys));
}

TEST_CASE("the fake model depends on the whole source and prefix, and reorders", "[model]") {
  test::FakeModel model;
  const std::vector<std::vector<TokenId>> sources = {{3, 4, 0}, {2, 4, 0}};
  const auto last_key = [&](const std::vector<TokenId>& source,
                            const std::vector<TokenId>& target) {
    return model.teacher_force({&source, 1}, {&target, 1}, {}).keys[-1].clone();
  };
  const at::Tensor key = last_key(sources[0], {1, 2, 3, 0});
  CHECK(key.equal(last_key(sources[0], {1, 2, 3, 5})));
  CHECK_FALSE(key.equal(last_key(sources[0], {7, 2, 3, 0})));
  CHECK_FALSE(key.equal(last_key(sources[1], {1, 2, 3, 0})));

  const auto state = model.start(model.encode(sources), 1, KeyKind::ffn_in);
  model.step(*state, std::vector<TokenId>(2, model.info().decoder_start));
  model.reorder(*state, std::vector<std::int64_t>{1, 1, 0, 0});
  model.step(*state, std::vector<TokenId>{1, 1, 1, 1});
  model.reorder(*state, std::vector<std::int64_t>{2, 3});
  const StepOutput out = model.step(*state, std::vector<TokenId>{2, 9});
  CHECK(state->rows() == 2);
  CHECK(out.queries[0].equal(last_key(sources[0], {1, 2, 0})));
  CHECK(out.queries[1].equal(last_key(sources[0], {1, 9, 0})));
}

}  // namespace knnseq::model
