#include "model/torchscript/torchscript_facts.hpp"

#include <algorithm>

#include <c10/util/Exception.h>
#include <caffe2/serialize/inline_container.h>
#include <fmt/format.h>

#include "core/parse_json.hpp"
#include "model/families/families.hpp"
#include "model/torchscript/torchscript_load.hpp"

namespace knnseq::model {

namespace {

constexpr const char* name = "knnseq.json";

/// The extra file's text.
std::string read_extra_file(const std::filesystem::path& file) {
  const std::string record = std::string("extra/") + name;
  require_archive(file);
  try {
    caffe2::serialize::PyTorchStreamReader reader(file.string());
    if (reader.hasRecord(record)) {
      const auto [data, bytes] = reader.getRecord(record);
      return {static_cast<const char*>(data.get()), bytes};
    }
  } catch (const c10::Error& error) {
    throw core::InputError(file, "is damaged or no TorchScript archive: " +
                                     core::first_line(error.what_without_backtrace()));
  }
  throw core::InputError(file, fmt::format("has no extra file {}", name));
}

std::int64_t positive(ConfigReader& facts, const std::string& key, std::int64_t most) {
  const std::int64_t value = facts.integer(key);
  if (value < 1 || value > most) {
    facts.fail(key, fmt::format("{} is out of range: it must lie in 1 to {}", value, most));
  }
  return value;
}

std::vector<TokenId> read_tokens(ConfigReader& facts, const std::string& key,
                                 std::int64_t vocab_size) {
  std::vector<TokenId> tokens;
  const core::Json& list = facts.value(key);
  if (!list.is_array()) facts.fail(key, "is not a list of tokens");
  for (const core::Json& token : list) {
    if (!token.is_number_integer() || token < 0 || token >= vocab_size) {
      facts.fail(key, token.dump() + " is not a token of the vocabulary");
    }
    tokens.push_back(token);
  }
  std::ranges::sort(tokens);
  tokens.erase(std::ranges::unique(tokens).begin(), tokens.end());
  return tokens;
}

KeySpec read_key(ConfigReader& facts, std::int64_t layers) {
  const auto kind = core::value_named<KeyKind>(facts.text("key"));
  if (!kind) facts.fail("key", "is neither ffn_in nor ffn_out");
  const std::int64_t layer = facts.integer("layer");
  if (layer < -layers || layer >= layers) {
    facts.fail("layer", fmt::format("{} does not exist: the decoder has {} layers", layer, layers));
  }
  return KeySpec(*kind, layer).resolved(layers);
}

}  // namespace

ModelInfo read_torchscript_facts(const std::filesystem::path& file,
                                 const std::vector<TokenId>& forced_tokens) {
  const std::string label = fmt::format("{}: {}", file.string(), name);
  const core::Json json = core::parse_json(read_extra_file(file), label);
  ConfigReader facts(label, json);
  if (const auto format = facts.integer("format"); format != 1) {
    facts.fail("format", fmt::format("{} is not supported, only 1", format));
  }
  ModelInfo info;
  info.family = "torchscript";
  info.vocab_size = positive(facts, "vocab_size", most_tokens);
  info.source_vocab_size = positive(facts, "source_vocab_size", most_tokens);
  info.width = positive(facts, "width", most_width);
  info.source_width = positive(facts, "source_width", most_width);
  info.source_positions = positive(facts, "source_positions", most_positions);
  info.target_positions = positive(facts, "target_positions", most_positions);
  info.decoder_layers = positive(facts, "decoder_layers", most_layers);
  info.decoder_start = read_token(facts, "decoder_start", info.vocab_size);
  info.eos = read_token(facts, "eos", info.vocab_size);
  info.pad = read_token(facts, "pad", std::min(info.vocab_size, info.source_vocab_size));
  info.bad_tokens = read_tokens(facts, "bad_tokens", info.vocab_size);
  info.forced_tokens = forced_tokens;
  info.only_key = read_key(facts, info.decoder_layers);
  facts.finish();
  return info;
}

}  // namespace knnseq::model
