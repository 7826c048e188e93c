#include "model/families/model_config.hpp"

#include <fmt/format.h>

namespace knnseq::model {

void describe_shape(const std::string& family, const TransformerConfig& transformer,
                    ModelInfo& info) {
  info.family = family;
  info.width = transformer.decoder.width;
  info.source_width = transformer.encoder.width;
  info.decoder_layers = transformer.decoder.layers;
  info.source_vocab_size = transformer.source_vocab_size;
  info.vocab_size = transformer.vocab_size;
  info.source_positions = transformer.encoder.max_positions;
  info.target_positions = transformer.decoder.max_positions;
}

void check_position_width(ConfigReader& config, const std::string& key, const StackConfig& stack) {
  constexpr std::int64_t least = 4;
  if (stack.positions == PositionKind::fairseq_sinusoidal && stack.width < least) {
    config.fail(key,
                fmt::format("{} is too narrow for fairseq's sinusoidal positions, which need {}",
                            stack.width, least));
  }
}

Activation read_activation(ConfigReader& config, const std::string& key) {
  const std::string name = config.text(key);
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu;
  if (name == "silu" || name == "swish") return Activation::silu;
  config.fail(key, "'" + name + "' is not supported; relu, gelu, silu are");
}

TokenId read_token(ConfigReader& config, const std::string& key, std::int64_t vocab_size) {
  const std::int64_t id = config.integer(key);
  if (id < 0 || id >= vocab_size) config.fail(key, fmt::format("{} is outside the vocabulary", id));
  return core::narrow<TokenId>(id);
}

}  // namespace knnseq::model
