#include "model/transformer_config.hpp"

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

void TransformerConfig::validate(const std::string& where) const {
  const auto require = [&](bool condition, const std::string& message) {
    if (!condition) throw core::InputError(where, message);
  };
  require(width > 0, fmt::format("width {} is not positive", width));
  require(max_positions > 1, fmt::format("{} positions are too few", max_positions));
  for (const StackConfig& stack : {encoder, decoder}) {
    require(stack.layers > 0, fmt::format("{} layers are too few", stack.layers));
    require(stack.ffn_width > 0, fmt::format("ffn width {} is not positive", stack.ffn_width));
    require(stack.heads > 0 && width % stack.heads == 0,
            fmt::format("width {} is not a multiple of {} heads", width, stack.heads));
  }
}

}  // namespace knnseq::model
