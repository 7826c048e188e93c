// What no model on disk exercises yet: pre-norm, GELU and SiLU, learned positions, embedding and
// closing norms, against plain tensor operations in double.
#include <cmath>

#include <catch2/catch.hpp>

#include "demo_model.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t width = 16;
constexpr std::int64_t heads = 2;
constexpr std::int64_t ffn_width = 24;
constexpr std::int64_t words = 30;
constexpr std::int64_t positions = 12;

/// A linear layer or norm in both precisions.
struct Weights {
  at::Tensor weight;
  at::Tensor bias;

  static Weights linear(std::int64_t out, std::int64_t in) {
    return {at::randn({out, in}) / std::sqrt(static_cast<double>(in)), at::randn({out})};
  }
  static Weights norm() { return {at::rand({width}) + 0.5, at::randn({width})}; }
  Linear as_linear() const { return {weight, bias}; }
  LayerNorm as_norm() const { return {weight, bias, 1e-5}; }

  at::Tensor apply(const at::Tensor& x) const {
    return x.matmul(weight.to(at::kDouble).t()) + bias.to(at::kDouble);
  }
  at::Tensor normalise(const at::Tensor& x) const {
    return at::layer_norm(x, {width}, weight.to(at::kDouble), bias.to(at::kDouble), 1e-5);
  }
};

struct PlainLayer {
  Weights qkv = Weights::linear(3 * width, width), self_out = Weights::linear(width, width);
  Weights cross_query = Weights::linear(width, width);
  Weights cross_kv = Weights::linear(2 * width, width);
  Weights cross_out = Weights::linear(width, width);
  Weights inner = Weights::linear(ffn_width, width), outer = Weights::linear(width, ffn_width);
  Weights self_norm = Weights::norm(), cross_norm = Weights::norm(), ffn_norm = Weights::norm();
};

struct PlainModel {
  NormPlacement norm;
  Activation activation;
  at::Tensor tokens = at::randn({words, width}), places = at::randn({positions, width});
  Weights embedding_norm = Weights::norm(), closing_norm = Weights::norm();
  std::vector<PlainLayer> encoder{2}, decoder{2};
  Weights output = Weights::linear(words, width);

  at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                    bool causal) const {
    std::vector<at::Tensor> parts;
    for (std::int64_t head = 0; head < heads; ++head) {
      const auto part = [&](const at::Tensor& x) {
        return x.narrow(1, head * width / heads, width / heads);
      };
      at::Tensor scores =
          part(q).matmul(part(k).t()) / std::sqrt(static_cast<double>(width / heads));
      if (causal) scores.masked_fill_(at::ones_like(scores).triu(1).to(at::kBool), -INFINITY);
      parts.push_back(scores.softmax(-1).matmul(part(v)));
    }
    return at::cat(parts, 1);
  }

  /// x + f(norm(x)) or norm(x + f(x)).
  template <class Block>
  at::Tensor residual(const at::Tensor& x, const Weights& weights, Block&& block) const {
    if (norm == NormPlacement::pre) return x + block(weights.normalise(x));
    return weights.normalise(x + block(x));
  }

  at::Tensor self_attention(const PlainLayer& layer, const at::Tensor& x, bool causal) const {
    return residual(x, layer.self_norm, [&](const at::Tensor& in) {
      const auto parts = layer.qkv.apply(in).chunk(3, 1);
      return layer.self_out.apply(attend(parts[0], parts[1], parts[2], causal));
    });
  }

  at::Tensor feed_forward(const PlainLayer& layer, const at::Tensor& x, at::Tensor& input) const {
    return residual(x, layer.ffn_norm, [&](const at::Tensor& in) {
      input = in;
      const at::Tensor hidden = layer.inner.apply(in);
      return layer.outer.apply(activation == Activation::gelu   ? at::gelu(hidden)
                               : activation == Activation::silu ? at::silu(hidden)
                                                                : at::relu(hidden));
    });
  }

  at::Tensor embed(const std::vector<TokenId>& ids) const {
    const std::vector<std::int64_t> wide(ids.begin(), ids.end());
    const at::Tensor rows = tokens.index_select(0, at::tensor(wide, at::kLong)) * 3.0;
    const auto count = static_cast<std::int64_t>(ids.size());
    return embedding_norm.normalise((rows + places.narrow(0, 0, count)).to(at::kDouble));
  }

  struct Result {
    at::Tensor ffn_in, ffn_out, log_probs, sentence_key;
  };

  Result forward(const std::vector<TokenId>& source, const std::vector<TokenId>& inputs) const {
    Result made;
    at::Tensor states = embed(source);
    at::Tensor unused;
    for (const PlainLayer& layer : encoder) {
      states = feed_forward(layer, self_attention(layer, states, false), unused);
    }
    states = closing_norm.normalise(states);
    made.sentence_key = states.mean(0);
    at::Tensor x = embed(inputs);
    for (const PlainLayer& layer : decoder) {
      x = self_attention(layer, x, true);
      const auto kv = layer.cross_kv.apply(states).chunk(2, 1);
      x = residual(x, layer.cross_norm, [&](const at::Tensor& in) {
        return layer.cross_out.apply(attend(layer.cross_query.apply(in), kv[0], kv[1], false));
      });
      x = feed_forward(layer, x, made.ffn_in);
    }
    made.ffn_out = x;
    made.log_probs = at::log_softmax(output.apply(closing_norm.normalise(x)), -1);
    return made;
  }

  std::unique_ptr<TranslationModel> native() const {
    TransformerParts parts;
    parts.info.width = width;
    parts.info.vocab_size = words;
    parts.info.source_width = width;
    parts.info.decoder_layers = static_cast<std::int64_t>(decoder.size());
    parts.info.source_positions = positions;
    parts.info.target_positions = positions;
    parts.info.decoder_start = 1;
    parts.info.source_vocab_size = words;
    const Embedding embedding{tokens, places, 3.0, embedding_norm.as_norm(), at::kFloat};
    parts.encoder = {embedding, {}, closing_norm.as_norm(), norm, heads};
    parts.decoder = {.embedding = embedding,
                     .layers = {},
                     .closing_norm = closing_norm.as_norm(),
                     .output = output.as_linear(),
                     .norm = norm,
                     .heads = heads};
    for (const PlainLayer& layer : encoder) {
      parts.encoder.layers.push_back(
          {layer.qkv.as_linear(),
           layer.self_out.as_linear(),
           layer.self_norm.as_norm(),
           {layer.inner.as_linear(), layer.outer.as_linear(), activation},
           layer.ffn_norm.as_norm()});
    }
    for (const PlainLayer& layer : decoder) {
      parts.decoder.layers.push_back(
          {layer.qkv.as_linear(),
           layer.self_out.as_linear(),
           layer.self_norm.as_norm(),
           layer.cross_query.as_linear(),
           layer.cross_kv.as_linear(),
           layer.cross_out.as_linear(),
           layer.cross_norm.as_norm(),
           {layer.inner.as_linear(), layer.outer.as_linear(), activation},
           layer.ffn_norm.as_norm()});
    }
    return make_transformer(std::move(parts), gpu::ComputePath::cpu);
  }
};

}  // namespace

TEST_CASE("both norm placements and all activations", "[model]") {
  at::manual_seed(21);
  const std::vector<std::vector<TokenId>> sources = {{5, 6, 7, 0}, {9, 0}};
  const std::vector<std::vector<TokenId>> targets = {{8, 9, 0}, {3, 4, 5, 6, 0}};
  for (const NormPlacement norm : {NormPlacement::pre, NormPlacement::post}) {
    for (const Activation activation : {Activation::relu, Activation::gelu, Activation::silu}) {
      const PlainModel plain{.norm = norm, .activation = activation};
      const auto model = plain.native();
      const auto in = model->teacher_force(sources, targets, {KeyKind::ffn_in, true, true});
      const auto only_in = model->teacher_force(sources, targets, {});
      const auto out = model->teacher_force(sources, targets, {KeyKind::ffn_out});
      std::int64_t row = 0;
      for (std::size_t i = 0; i < sources.size(); ++i) {
        std::vector<TokenId> inputs = targets[i];
        inputs.pop_back();
        inputs.insert(inputs.begin(), 1);
        const auto rows = static_cast<std::int64_t>(inputs.size());
        const auto exact = plain.forward(sources[i], inputs);
        const auto number = static_cast<std::int64_t>(i);
        INFO("norm " << static_cast<int>(norm) << ", activation " << static_cast<int>(activation));
        const auto error = [&](const at::Tensor& own, const at::Tensor& expected) {
          return testing::relative_error(own.narrow(0, row, rows), expected);
        };
        CHECK(error(in.keys, exact.ffn_in) < 1e-5);
        CHECK(error(only_in.keys, exact.ffn_in) < 1e-5);
        CHECK(error(out.keys, exact.ffn_out) < 1e-5);
        CHECK(error(in.log_probs, exact.log_probs) < 1e-5);
        CHECK(testing::relative_error(in.sentence_keys[number], exact.sentence_key) < 1e-5);
        row += rows;
      }
      // Step by step.
      const auto state = model->start(model->encode({&sources[1], 1}), 1, KeyKind::ffn_out);
      std::vector<TokenId> input = {1};
      for (std::int64_t t = 0; t < 5; ++t) {
        const StepOutput step = model->step(*state, input);
        CHECK(testing::relative_error(step.queries[0], out.keys[3 + t]) < 1e-5);
        input = {targets[1][t]};
      }
    }
  }
}

}  // namespace knnseq::model
