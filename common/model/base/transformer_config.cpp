#include "model/base/transformer_config.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

void TransformerConfig::validate(const std::string& where) const {
  const auto require = [&](bool condition, const std::string& message) {
    if (!condition) throw core::InputError(where, message);
  };
  const auto lies_within = [&](const char* what, std::int64_t value, std::int64_t least,
                               std::int64_t most) {
    require(value >= least && value <= most,
            fmt::format("{} of {} must lie in {} to {}", what, value, least, most));
  };
  require(source_vocab_size > 0 && vocab_size > 0, "the vocabulary is empty");
  lies_within("a source vocabulary", source_vocab_size, 1, most_tokens);
  lies_within("a vocabulary", vocab_size, 1, most_tokens);
  require(!shared_embeddings || encoder.width == decoder.width,
          "shared embeddings need stacks of equal width");
  for (const StackConfig& stack : {encoder, decoder}) {
    lies_within("a width", stack.width, 1, most_width);
    lies_within("a number of positions", stack.max_positions, 2, most_positions);
    lies_within("a number of layers", stack.layers, 1, most_layers);
    lies_within("an ffn width", stack.ffn_width, 1, most_ffn_width);
    require(stack.heads > 0 && stack.width % stack.heads == 0,
            fmt::format("width {} is not a multiple of {} heads", stack.width, stack.heads));
  }
}

}  // namespace knnseq::model
