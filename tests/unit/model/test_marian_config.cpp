// What config.json and generation_config.json may say, and what is refused by name.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "demo_model.hpp"
#include "model/marian_config.hpp"
#include "support/temporary_folder.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;
using core::Json;

Json demo(const char* name) { return core::read_json(testing::demo_folder / name); }

MarianConfig read(const Json& config, const Json& generation = {}) {
  return read_marian_config("folder", config, generation);
}

Json with(Json json, const std::string& key, const Json& value) {
  json[key] = value;
  return json;
}

}  // namespace

TEST_CASE("the demo model's config", "[model]") {
  const auto model = load_model(testing::demo_folder);
  const ModelInfo& info = model->info();
  CHECK(info.family == "marian");
  CHECK(info.width == 256);
  CHECK(info.vocab_size == 8000);
  CHECK(info.max_positions == 512);
  CHECK(info.decoder_start == 7999);
  CHECK(info.eos == 0);
  CHECK(info.pad == 7999);
  CHECK(info.bad_tokens == std::vector<TokenId>{7999});
  CHECK(info.unused_settings == std::vector<std::string>{"max_length=512", "num_beams=5"});
  CHECK(model_files(testing::demo_folder).size() == 3);
}

TEST_CASE("keys of config.json that cannot be honoured are refused by name", "[model]") {
  const Json config = demo("config.json");
  CHECK(read(config).transformer.encoder.layers == 4);
  struct Case {
    std::string key;
    Json value;
  };
  const std::vector<Case> cases = {{"model_type", "bart"},
                                   {"normalize_before", true},
                                   {"normalize_embedding", true},
                                   {"add_final_layer_norm", true},
                                   {"static_position_embeddings", false},
                                   {"activation_function", "gelu_new"},
                                   {"activation_function", 3},
                                   {"d_model", "256"},
                                   {"d_model", nullptr},
                                   {"encoder_layers", 1.5},
                                   {"scale_embedding", "yes"},
                                   {"eos_token_id", 8000},
                                   {"pad_token_id", -1},
                                   {"decoder_vocab_size", 7000},
                                   {"is_encoder_decoder", false},
                                   {"rope_theta", 10000}};
  for (const auto& [key, value] : cases) {
    INFO(key << " = " << value.dump());
    CHECK_THROWS_AS(read(with(config, key, value)), core::InputError);
    CHECK_THROWS_WITH(read(with(config, key, value)),
                      Contains("folder/config.json") && Contains(key));
  }
  CHECK_THROWS_WITH(read(with(config, "encoder_attention_heads", 5)),
                    Contains("256 is not a multiple of 5 heads"));
  CHECK_THROWS_WITH(read(Json::array()), Contains("is not a JSON object"));
  CHECK(read(with(config, "activation_function", "swish")).transformer.activation ==
        Activation::silu);
}

TEST_CASE("generation_config.json: bad words, forced tokens, the rest is listed", "[model]") {
  const Json config = demo("config.json");
  const Json generation = demo("generation_config.json");
  CHECK(read(config, with(generation, "bad_words_ids", {{9}, {3}, {9}})).info.bad_tokens ==
        std::vector<TokenId>{3, 9});
  CHECK(read(with(config, "bad_words_ids", {{5}})).info.bad_tokens == std::vector<TokenId>{5});
  CHECK(read(config, with(generation, "length_penalty", 0.5)).info.unused_settings.front() ==
        "length_penalty=0.5");
  struct Case {
    std::string key;
    Json value;
  };
  const std::vector<Case> cases = {{"bad_words_ids", {{1, 2}}},   {"bad_words_ids", {{8000}}},
                                   {"bad_words_ids", {7}},        {"forced_bos_token_id", 3},
                                   {"forced_eos_token_id", 3},    {"eos_token_id", {0, 1}},
                                   {"decoder_start_token_id", 1}, {"suppress_tokens", {4}}};
  for (const auto& [key, value] : cases) {
    INFO(key << " = " << value.dump());
    CHECK_THROWS_WITH(read(config, with(generation, key, value)),
                      Contains("generation_config.json") && Contains(key));
  }
}

TEST_CASE("model folders that cannot be opened", "[model]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("config.json"));
  CHECK_THROWS_WITH(model_files(folder.path()), Contains("config.json"));
  folder.write("config.json", R"({"model_type":"t5"})");
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("model_type: 't5' is not supported"));
  folder.write("config.json", demo("config.json").dump());
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("model.safetensors"));
  CHECK_THROWS_WITH(load_model(testing::demo_folder, {"bf16"}), Contains("dtype: 'bf16'"));
  folder.write("config.json", with(demo("config.json"), "encoder_layers", 5).dump());
  std::filesystem::create_symlink(testing::demo_folder / "model.safetensors",
                                  folder.path() / "model.safetensors");
  CHECK_THROWS_WITH(load_model(folder.path()),
                    Contains("tensor 'model.encoder.layers.4.") && Contains("is missing"));
  folder.write("config.json", with(demo("config.json"), "encoder_layers", 3).dump());
  CHECK_THROWS_WITH(load_model(folder.path()),
                    Contains("unknown tensors") && Contains("model.encoder.layers.3.fc1.bias"));
}

}  // namespace knnseq::model
