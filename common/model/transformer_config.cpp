#include "model/transformer_config.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

void TransformerConfig::validate(const std::string& where) const {
  const auto require = [&](bool condition, const std::string& message) {
    if (!condition) throw core::InputError(where, message);
  };
  require(source_vocab_size > 0 && vocab_size > 0, "the vocabulary is empty");
  require(!shared_embeddings || encoder.width == decoder.width,
          "shared embeddings need stacks of equal width");
  for (const StackConfig& stack : {encoder, decoder}) {
    require(stack.width > 0, fmt::format("width {} is not positive", stack.width));
    require(stack.max_positions > 1, fmt::format("{} positions are too few", stack.max_positions));
    require(stack.max_positions <= 1'000'000,
            fmt::format("{} positions are too many", stack.max_positions));
    require(stack.layers > 0, fmt::format("{} layers are too few", stack.layers));
    require(stack.ffn_width > 0, fmt::format("ffn width {} is not positive", stack.ffn_width));
    require(stack.heads > 0 && stack.width % stack.heads == 0,
            fmt::format("width {} is not a multiple of {} heads", stack.width, stack.heads));
  }
}

}  // namespace knnseq::model
