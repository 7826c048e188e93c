#include "model/families/families.hpp"

#include <utility>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/json_integer.hpp"

namespace knnseq::model {

ConfigReader::ConfigReader(std::string file, const core::Json& json)
    : file_(std::move(file)), json_(json) {
  if (!json.is_object()) throw core::InputError(file_, "is not a JSON object");
}

void ConfigReader::fail(const std::string& key, const std::string& message) const {
  throw core::InputError(file_, fmt::format("{}: {}", key, message));
}

const core::Json& ConfigReader::value(const std::string& key) {
  static const core::Json missing;
  read_.insert(key);
  const auto found = json_.find(key);
  return found == json_.end() ? missing : *found;
}

std::int64_t ConfigReader::integer(const std::string& key) {
  const core::Json& json = value(key);
  if (json.is_null()) fail(key, "is missing");
  if (!json.is_number_integer()) fail(key, json.dump() + " is not an integer");
  const auto number = core::json_integer(json);
  // All are sizes or tokens.
  if (!number || !std::in_range<std::int32_t>(*number)) fail(key, json.dump() + " is out of range");
  return *number;
}

std::int64_t ConfigReader::integer(const std::string& key, std::int64_t fallback) {
  return value(key).is_null() ? fallback : integer(key);
}

bool ConfigReader::boolean(const std::string& key, bool fallback) {
  const core::Json& json = value(key);
  if (json.is_null()) return fallback;
  if (!json.is_boolean()) fail(key, json.dump() + " is neither true nor false");
  return json.get<bool>();
}

std::string ConfigReader::text(const std::string& key) {
  const core::Json& json = value(key);
  if (!json.is_string()) fail(key, json.is_null() ? "is missing" : json.dump() + " is not a text");
  return json.get<std::string>();
}

void ConfigReader::expect(const std::string& key, const core::Json& only) {
  const core::Json& json = value(key);
  if (!json.is_null() && json != only) {
    fail(key, fmt::format("{} is not supported, only {}", json.dump(), only.dump()));
  }
}

void ConfigReader::ignore(std::initializer_list<const char*> keys) {
  read_.insert(keys.begin(), keys.end());
}

std::vector<std::string> ConfigReader::unread() const {
  std::vector<std::string> keys;
  for (const auto& [key, json] : json_.items()) {
    if (!read_.contains(key)) keys.push_back(key);
  }
  return keys;
}

void ConfigReader::finish() const {
  const auto keys = unread();
  if (!keys.empty()) {
    throw core::InputError(file_, fmt::format("unknown keys, which might change what the model "
                                              "computes: {}",
                                              fmt::join(keys, ", ")));
  }
}

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
