#include "model/marian_weights.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "model/weight_reader.hpp"

namespace knnseq::model {

namespace {

/// Reads both sides' parts with the sizes of the config.
class MarianReader {
 public:
  MarianReader(const MarianConfig& config, const SafetensorsFile& file)
      : config_(config), shape_(config.transformer), reader_(file) {}

  TransformerParts read() {
    TransformerParts parts{config_.info, config_.source_vocab_size, encoder(), decoder()};
    reader_.finish();
    return parts;
  }

 private:
  /// The side's token table; a shared one may be stored under any of its names, or several.
  at::Tensor token_table(const std::string& side, std::int64_t vocab_size) {
    const std::string own = fmt::format("model.{}.embed_tokens.weight", side);
    const std::string shared = "model.shared.weight";
    const bool take_shared = config_.shared_embeddings && reader_.contains(shared);
    if (take_shared) {
      reader_.ignore(own);
    } else {
      reader_.ignore(shared);  // transformers leaves an unused one beside separate tables
    }
    return reader_.tensor(take_shared ? shared : own, {vocab_size, shape_.width});
  }

  Embedding embedding(const std::string& side, std::int64_t vocab_size) {
    const std::string positions = fmt::format("model.{}.embed_positions.weight", side);
    Embedding made;
    made.tokens = token_table(side, vocab_size);
    made.positions = reader_.contains(positions)
                         ? reader_.tensor(positions, {shape_.max_positions, shape_.width})
                         : sinusoidal_positions(shape_.max_positions, shape_.width);
    made.scale = shape_.embedding_scale;
    return made;
  }

  LayerNorm norm(const std::string& prefix) {
    return reader_.layer_norm(prefix, shape_.width, shape_.norm_epsilon);
  }

  FeedForward feed_forward(const std::string& prefix, const StackConfig& stack) {
    return {reader_.linear(prefix + ".fc1", stack.ffn_width, shape_.width),
            reader_.linear(prefix + ".fc2", shape_.width, stack.ffn_width), shape_.activation};
  }

  Linear joined(const std::string& prefix, const std::vector<std::string>& names) {
    std::vector<std::string> prefixes;
    for (const auto& name : names) prefixes.push_back(prefix + "." + name);
    return reader_.joined(prefixes, shape_.width);
  }

  Linear square(const std::string& prefix) {
    return reader_.linear(prefix, shape_.width, shape_.width);
  }

  Encoder encoder() {
    Encoder made;
    made.embedding = embedding("encoder", config_.source_vocab_size);
    made.norm = shape_.norm;
    made.heads = shape_.encoder.heads;
    for (std::int64_t i = 0; i < shape_.encoder.layers; ++i) {
      const auto prefix = fmt::format("model.encoder.layers.{}", i);
      const auto attention = prefix + ".self_attn";
      made.layers.push_back({.qkv = joined(attention, {"q_proj", "k_proj", "v_proj"}),
                             .out = square(attention + ".out_proj"),
                             .attention_norm = norm(attention + "_layer_norm"),
                             .feed_forward = feed_forward(prefix, shape_.encoder),
                             .feed_forward_norm = norm(prefix + ".final_layer_norm")});
    }
    return made;
  }

  Decoder decoder() {
    Decoder made;
    made.embedding = embedding("decoder", config_.info.vocab_size);
    made.norm = shape_.norm;
    made.heads = shape_.decoder.heads;
    for (std::int64_t i = 0; i < shape_.decoder.layers; ++i) {
      const auto prefix = fmt::format("model.decoder.layers.{}", i);
      const auto own = prefix + ".self_attn";
      const auto cross = prefix + ".encoder_attn";
      made.layers.push_back({.qkv = joined(own, {"q_proj", "k_proj", "v_proj"}),
                             .self_out = square(own + ".out_proj"),
                             .self_norm = norm(own + "_layer_norm"),
                             .cross_query = square(cross + ".q_proj"),
                             .cross_kv = joined(cross, {"k_proj", "v_proj"}),
                             .cross_out = square(cross + ".out_proj"),
                             .cross_norm = norm(cross + "_layer_norm"),
                             .feed_forward = feed_forward(prefix, shape_.decoder),
                             .feed_forward_norm = norm(prefix + ".final_layer_norm")});
    }
    made.output = output(made.embedding.tokens);
    return made;
  }

  Linear output(const at::Tensor& decoder_tokens) {
    const std::int64_t vocab_size = config_.info.vocab_size;
    at::Tensor weight = decoder_tokens;
    if (config_.tied_output) {
      reader_.ignore("lm_head.weight");
    } else {
      weight = reader_.tensor("lm_head.weight", {vocab_size, shape_.width});
    }
    return {weight, reader_.tensor("final_logits_bias", {1, vocab_size}).view({vocab_size})};
  }

  const MarianConfig& config_;
  const TransformerConfig& shape_;
  WeightReader reader_;
};

}  // namespace

TransformerParts read_marian_weights(const MarianConfig& config, const SafetensorsFile& file) {
  return MarianReader(config, file).read();
}

}  // namespace knnseq::model
