// What is refused in the config.json of an imported fairseq model, by file and key.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "model/families/families.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;
using core::Json;

const std::filesystem::path postnorm = KNNSEQ_SOURCE_DIR "/tests/data/models/fairseq-postnorm";

/// The fixture's config.json with other values.
Json with(const Json& changes) {
  Json config = core::read_json(postnorm / "config.json");
  config.update(changes);
  return config;
}

ModelConfig read_fairseq(const Json& changes) {
  return read_fairseq_config("folder", with(changes), {});
}

}  // namespace

TEST_CASE("keys of a fairseq config that cannot be honoured are refused by name", "[model]") {
  struct Case {
    std::string key;
    Json changes;
  };
  const std::vector<Case> cases = {
      {"encoder_embed_dim", {{"encoder_embed_dim", 3}, {"encoder_attention_heads", 1}}},
      {"decoder_embed_dim", {{"decoder_embed_dim", 2}, {"decoder_attention_heads", 1}}},
      {"target_vocab_size", {{"target_vocab_size", 105}}},
      {"activation_fn", {{"activation_fn", "tanh"}}},
      {"eos_token_id", {{"eos_token_id", 104}}},
      {"max_source_positions", {{"max_source_positions", nullptr}}},
      {"cross_self_attention", {{"cross_self_attention", true}}}};
  for (const auto& [key, changes] : cases) {
    INFO(changes.dump());
    CHECK_THROWS_AS(read_fairseq(changes), core::InputError);
    CHECK_THROWS_WITH(read_fairseq(changes), Contains("folder/config.json") && Contains(key));
  }
  CHECK_THROWS_WITH(read_fairseq_config("folder", with(Json::object()), Json::object()),
                    Contains("generation_config.json"));
}

TEST_CASE("a narrow fairseq model without sinusoidal positions is one", "[model]") {
  Json narrow = {{"share_all_embeddings", false}};
  for (const char* side : {"encoder", "decoder"}) {
    narrow[std::string(side) + "_embed_dim"] = 2;
    narrow[std::string(side) + "_attention_heads"] = 1;
    narrow[std::string(side) + "_learned_pos"] = true;
  }
  CHECK(read_fairseq(narrow).info.width == 2);
  narrow["encoder_learned_pos"] = false;
  CHECK_THROWS_WITH(read_fairseq(narrow), Contains("encoder_embed_dim: 2 is too narrow"));
  narrow["no_token_positional_embeddings"] = true;
  CHECK(read_fairseq(narrow).info.source_width == 2);
}

}  // namespace knnseq::model
