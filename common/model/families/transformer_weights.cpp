#include "model/families/transformer_weights.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace knnseq::model {

namespace {

/// Reads both sides' parts with the sizes of the config.
class TransformerReader {
 public:
  TransformerReader(const ModelConfig& config, const SafetensorsFolder& files,
                    const WeightTarget& target)
      : config_(config), shape_(config.transformer), reader_(files, target), target_(target) {}

  TransformerParts read() {
    TransformerParts parts;
    parts.info = config_.info;
    parts.decoder.output = output();  // the largest first: converting it takes twice its memory
    read_stack("encoder", shape_.encoder, shape_.source_vocab_size, parts.encoder);
    read_stack("decoder", shape_.decoder, shape_.vocab_size, parts.decoder);
    reader_.finish();
    return parts;
  }

 private:
  std::string own_table(const std::string& side) const {
    return fmt::format("{}{}.embed_tokens.weight", config_.names.stacks, side);
  }

  /// Name of the side's token table. A shared one may be stored under any of its names or several,
  /// and an unused one may lie beside separate tables.
  std::string token_table(const std::string& side) {
    const std::string shared = config_.names.stacks + "shared.weight";
    std::vector<std::string> names = {own_table(side)};
    if (shape_.shared_embeddings) names = {shared, own_table("encoder"), own_table("decoder")};
    if (shape_.tied_output && (shape_.shared_embeddings || side == "decoder")) {
      names.push_back(config_.names.output);
    }
    reader_.ignore(shared);
    for (const auto& name : names) reader_.ignore(name);
    for (const auto& name : names) {
      if (reader_.contains(name)) return name;
    }
    return names.front();  // reading it reports that it is missing
  }

  Linear output() {
    const std::string bias = shape_.output_bias ? config_.names.output_bias : "";
    const std::string name = shape_.tied_output ? token_table("decoder") : config_.names.output;
    return reader_.projection(name, {shape_.vocab_size, shape_.decoder.width}, bias);
  }

  at::Tensor positions(const std::string& prefix, const StackConfig& stack) {
    const std::string name = prefix + ".embed_positions.weight";
    const std::int64_t rows = stack.max_positions + stack.position_offset;
    switch (stack.positions) {
      case PositionKind::none:
        return at::zeros({stack.max_positions, stack.width});
      case PositionKind::learned:
        return reader_.table(name, {rows, stack.width})
            .slice(0, stack.position_offset)
            .to(at::kFloat);
      case PositionKind::sinusoidal:
        if (reader_.contains(name)) {
          return reader_.table(name, {stack.max_positions, stack.width}).to(at::kFloat);
        }
        return sinusoidal_positions(stack.max_positions, stack.width);
      case PositionKind::fairseq_sinusoidal:
        reader_.ignore(prefix + ".embed_positions.weights");  // old files store what is computed
        return fairseq_sinusoidal_positions(stack.position_offset, stack.max_positions,
                                            stack.width);
    }
    return {};
  }

  Embedding embedding(const std::string& side, const StackConfig& stack, std::int64_t vocab_size) {
    const std::string prefix = config_.names.stacks + side;
    Embedding made;
    made.tokens = reader_.table(token_table(side), {vocab_size, stack.width});
    made.positions = positions(prefix, stack).to(target_.device);
    made.scale = stack.embedding_scale;
    if (stack.embedding_norm) {
      made.norm = reader_.layer_norm(prefix + ".layernorm_embedding", stack.width,
                                     shape_.norm_epsilon, at::kFloat);
    }
    made.dtype = target_.dtype;
    return made;
  }

  LayerNorm norm(const std::string& prefix, const StackConfig& stack) {
    return reader_.layer_norm(prefix, stack.width, shape_.norm_epsilon, target_.dtype);
  }

  FeedForward feed_forward(const std::string& prefix, const StackConfig& stack) {
    return {reader_.linear(prefix + ".fc1", stack.ffn_width, stack.width),
            reader_.linear(prefix + ".fc2", stack.width, stack.ffn_width), shape_.activation};
  }

  Linear joined(const std::string& prefix, const std::vector<std::string>& names, std::int64_t out,
                std::int64_t in) {
    std::vector<std::string> prefixes;
    prefixes.reserve(names.size());
    for (const auto& name : names) prefixes.push_back(fmt::format("{}.{}", prefix, name));
    return reader_.joined(prefixes, out, in);
  }

  Linear self_qkv(const std::string& prefix, const StackConfig& stack) {
    return joined(prefix + ".self_attn", {"q_proj", "k_proj", "v_proj"}, stack.width, stack.width);
  }

  void read(const std::string& prefix, const StackConfig& stack, EncoderLayer& made) {
    const std::int64_t width = stack.width;
    made = {.qkv = self_qkv(prefix, stack),
            .out = reader_.linear(prefix + ".self_attn.out_proj", width, width),
            .attention_norm = norm(prefix + ".self_attn_layer_norm", stack),
            .feed_forward = feed_forward(prefix, stack),
            .feed_forward_norm = norm(prefix + ".final_layer_norm", stack)};
  }

  void read(const std::string& prefix, const StackConfig& stack, DecoderLayer& made) {
    const std::int64_t width = stack.width;
    const auto cross = prefix + ".encoder_attn";
    made = {.qkv = self_qkv(prefix, stack),
            .self_out = reader_.linear(prefix + ".self_attn.out_proj", width, width),
            .self_norm = norm(prefix + ".self_attn_layer_norm", stack),
            .cross_query = reader_.linear(cross + ".q_proj", width, width),
            .cross_kv = joined(cross, {"k_proj", "v_proj"}, width, shape_.encoder.width),
            .cross_out = reader_.linear(cross + ".out_proj", width, width),
            .cross_norm = norm(cross + "_layer_norm", stack),
            .feed_forward = feed_forward(prefix, stack),
            .feed_forward_norm = norm(prefix + ".final_layer_norm", stack)};
  }

  /// Encoder or Decoder, without the output projection.
  template <class Stack>
  void read_stack(const std::string& side, const StackConfig& stack, std::int64_t vocab_size,
                  Stack& made) {
    const std::string prefix = config_.names.stacks + side;
    made.embedding = embedding(side, stack, vocab_size);
    made.norm = stack.norm;
    made.heads = stack.heads;
    made.layers.resize(stack.layers);
    for (std::size_t i = 0; i < made.layers.size(); ++i) {
      read(fmt::format("{}.layers.{}", prefix, i), stack, made.layers[i]);
    }
    if (stack.closing_norm) made.closing_norm = norm(prefix + ".layer_norm", stack);
  }

  const ModelConfig& config_;
  const TransformerConfig& shape_;
  WeightReader reader_;
  WeightTarget target_;
};

}  // namespace

TransformerParts read_transformer(const ModelConfig& config, const SafetensorsFolder& files,
                                  const WeightTarget& target) {
  return TransformerReader(config, files, target).read();
}

}  // namespace knnseq::model
