// Against transformers in float64 on real sentences.
#include <cmath>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "compare.hpp"
#include "core/random.hpp"
#include "demo_model.hpp"

namespace knnseq::model {

namespace {

using testing::relative_error;

/// The fixed ±1/sqrt(d) matrix [d, 32] that make_marian_reference.py multiplies with.
at::Tensor projection(std::int64_t width) {
  constexpr std::int64_t columns = 32;
  at::Tensor matrix = at::empty({width, columns}, at::kDouble);
  core::Random random(1);
  const double scale = 1.0 / std::sqrt(static_cast<double>(width));
  for (std::int64_t i = 0; i < matrix.numel(); ++i) {
    matrix.mutable_data_ptr<double>()[i] = (random.next() >> 63) != 0 ? -scale : scale;
  }
  return matrix;
}

at::Tensor project(const at::Tensor& vectors) {
  return vectors.to(at::kDouble).matmul(projection(vectors.size(1)));
}

}  // namespace

TEST_CASE("teacher forcing agrees with transformers", "[model]") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto targets = reference.sentences("target");

  // Layers' outputs come rounded up run by run; the test takes one sentence at a time, as the
  // reference did, and so knows which rows count.
  std::vector<at::Tensor> encoded;
  std::vector<std::vector<at::Tensor>> layers(3);
  std::vector<at::Tensor> keys[2];
  std::vector<at::Tensor> sentence_keys;
  std::vector<at::Tensor> log_probs;
  std::int64_t source_rows = 0;  // 0: not looked at
  std::int64_t target_rows = 0;
  const auto see_encoder = [&](std::int64_t layer, const at::Tensor& x) {
    if (layer == 3 && source_rows > 0) encoded.push_back(x.narrow(0, 0, source_rows));
  };
  const auto see_decoder = [&](std::int64_t layer, const at::Tensor& x) {
    if (target_rows == 0) return;
    layers[layer].push_back(x.narrow(0, 0, target_rows));
  };
  const auto model = make_transformer(testing::read_demo_parts({}), gpu::ComputePath::cpu,
                                      {see_encoder, see_decoder});
  for (std::size_t i = 0; i < sources.size(); ++i) {
    source_rows = static_cast<std::int64_t>(sources[i].size());
    target_rows = static_cast<std::int64_t>(targets[i].size());
    const TeacherForced in =
        model->teacher_force({&sources[i], 1}, {&targets[i], 1}, {KeyKind::ffn_in, true, true});
    keys[0].push_back(in.keys);
    sentence_keys.push_back(in.sentence_keys);
    log_probs.push_back(in.log_probs);
    source_rows = target_rows = 0;
    keys[1].push_back(
        model->teacher_force({&sources[i], 1}, {&targets[i], 1}, {KeyKind::ffn_out}).keys);
  }
  const auto error = [&](const std::vector<at::Tensor>& own, const at::Tensor& exact) {
    return relative_error(project(at::cat(own)), exact);
  };
  const at::Tensor exact_layers = reference.tensor("decoder_layers");
  std::vector<std::pair<std::string, double>> errors = {
      {"encoder output", error(encoded, reference.tensor("encoder_output"))},
      {"sentence keys", error(sentence_keys, reference.tensor("sentence_keys"))},
      {"ffn_in", error(keys[0], reference.tensor("ffn_in"))},
      {"ffn_out", error(keys[1], exact_layers[2])}};
  for (std::size_t layer = 0; layer < layers.size(); ++layer) {
    errors.emplace_back(fmt::format("decoder layer {}", layer),
                        error(layers[layer], exact_layers[static_cast<std::int64_t>(layer)]));
  }
  for (const auto& [name, value] : errors) {
    UNSCOPED_INFO(name << ": relative error " << value);
    CHECK(value < 1e-5);
  }
  testing::compare_best(at::cat(log_probs), reference.tensor("top_ids"),
                        reference.tensor("top_log_probs"));
}

TEST_CASE("greedy decoding agrees with transformers token by token", "[model]") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto expected = reference.sentences("greedy");
  const auto model = testing::load_demo_model();
  const auto made = testing::greedy(*model, sources, 100);
  for (std::size_t i = 0; i < made.size(); ++i) {
    INFO("sentence " << i);
    CHECK(made[i] == expected[i]);
  }
}

}  // namespace knnseq::model
