// What config.json and generation_config.json may say, and what is refused by name.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "demo_model.hpp"
#include "model/families/families.hpp"
#include "support/temporary_folder.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;
using core::Json;

Json demo(const char* name) { return core::read_json(testing::demo_folder / name); }

ModelConfig read_marian(const Json& config, const Json& generation = {}) {
  return read_marian_config("folder", config, generation);
}

Json with_setting(Json json, const std::string& key, const Json& value) {
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
  CHECK(info.source_positions == 512);
  CHECK(info.target_positions == 512);
  CHECK(info.decoder_start == 7999);
  CHECK(info.eos == 0);
  CHECK(info.pad == 7999);
  CHECK(info.bad_tokens == std::vector<TokenId>{7999});
  CHECK(info.unused_settings == std::vector<std::string>{"max_length=512", "num_beams=5"});
  CHECK(model_files(testing::demo_folder).size() == 3);
}

TEST_CASE("keys of config.json that cannot be honoured are refused by name", "[model]") {
  const Json config = demo("config.json");
  CHECK(read_marian(config).transformer.encoder.layers == 4);
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
    CHECK_THROWS_AS(read_marian(with_setting(config, key, value)), core::InputError);
    CHECK_THROWS_WITH(read_marian(with_setting(config, key, value)),
                      Contains("folder/config.json") && Contains(key));
  }
  CHECK_THROWS_WITH(read_marian(with_setting(config, "encoder_attention_heads", 5)),
                    Contains("256 is not a multiple of 5 heads"));
  CHECK_THROWS_WITH(read_marian(Json::array()), Contains("is not a JSON object"));
  CHECK(read_marian(with_setting(config, "activation_function", "swish")).transformer.activation ==
        Activation::silu);
}

TEST_CASE("generation_config.json: bad words, forced tokens, the rest is listed", "[model]") {
  const Json config = demo("config.json");
  const Json generation = demo("generation_config.json");
  CHECK(read_marian(config, with_setting(generation, "bad_words_ids", {{9}, {3}, {9}}))
            .info.bad_tokens == std::vector<TokenId>{3, 9});
  CHECK(read_marian(with_setting(config, "bad_words_ids", {{5}})).info.bad_tokens ==
        std::vector<TokenId>{5});
  CHECK(read_marian(config, with_setting(generation, "length_penalty", 0.5))
            .info.unused_settings.front() == "length_penalty=0.5");
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
    CHECK_THROWS_WITH(read_marian(config, with_setting(generation, key, value)),
                      Contains("generation_config.json") && Contains(key));
  }
}

TEST_CASE("configs as OPUS-MT publishes them", "[model]") {
  // Keys and values of Helsinki-NLP/opus-mt-de-en and its like, which several versions wrote.
  const Json early = Json::parse(R"({"_name_or_path": "opus-mt-de-en", "_num_labels": 3,
      "activation_dropout": 0.0, "activation_function": "swish", "add_bias_logits": false,
      "add_final_layer_norm": false, "architectures": ["MarianMTModel"], "attention_dropout": 0.0,
      "bad_words_ids": [[58100]], "bos_token_id": 0, "classif_dropout": 0.0,
      "classifier_dropout": 0.0, "d_model": 512, "decoder_attention_heads": 8,
      "decoder_ffn_dim": 2048, "decoder_layerdrop": 0.0, "decoder_layers": 6,
      "decoder_start_token_id": 58100, "decoder_vocab_size": 58101, "dropout": 0.1,
      "encoder_attention_heads": 8, "encoder_ffn_dim": 2048, "encoder_layerdrop": 0.0,
      "encoder_layers": 6, "eos_token_id": 0, "extra_pos_embeddings": 0, "forced_eos_token_id": 0,
      "gradient_checkpointing": false, "id2label": {"0": "LABEL_0"}, "init_std": 0.02,
      "is_encoder_decoder": true, "label2id": {"LABEL_0": 0}, "max_length": 512,
      "max_position_embeddings": 512, "model_type": "marian", "normalize_before": false,
      "normalize_embedding": false, "num_beams": 6, "num_hidden_layers": 6, "output_past": true,
      "pad_token_id": 58100, "prefix": ">>deu<< ", "scale_embedding": true,
      "share_encoder_decoder_embeddings": true, "static_position_embeddings": true,
      "transformers_version": "4.22.0.dev0", "use_cache": true, "vocab_size": 58101})");
  CHECK(read_marian(early).info.bad_tokens == std::vector<TokenId>{58100});
  const Json generation = Json::parse(R"({"_from_model_config": true, "bad_words_ids": [[58100]],
      "bos_token_id": 0, "decoder_start_token_id": 58100, "eos_token_id": 0,
      "forced_eos_token_id": 0, "max_length": 512, "num_beams": 6, "pad_token_id": 58100,
      "renormalize_logits": true, "transformers_version": "4.32.0.dev0"})");
  const ModelConfig made = read_marian(early, generation);
  CHECK(made.transformer.activation == Activation::silu);
  CHECK(made.info.unused_settings ==
        std::vector<std::string>{"max_length=512", "num_beams=6", "renormalize_logits=true"});

  // opus-mt-tc-big-*: larger, in fp16, some with a vocabulary for each side.
  Json big = with_setting(with_setting(early, "torch_dtype", "float16"),
                          "share_encoder_decoder_embeddings", false);
  for (const char* key : {"encoder_attention_heads", "decoder_attention_heads"}) big[key] = 16;
  for (const char* key : {"encoder_ffn_dim", "decoder_ffn_dim"}) big[key] = 4096;
  big["d_model"] = big["max_position_embeddings"] = 1024;
  big["activation_function"] = "relu";
  big["decoder_vocab_size"] = 61000;
  CHECK(read_marian(big, generation).info.width == 1024);
  CHECK(read_marian(big).info.vocab_size == 61000);
}

TEST_CASE("model folders that cannot be opened", "[model]") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("config.json"));
  CHECK_THROWS_WITH(model_files(folder.path()), Contains("config.json"));
  folder.write("config.json", R"({"model_type":"t5"})");
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("model_type: 't5' is not supported"));
  folder.write("config.json", demo("config.json").dump());
  CHECK_THROWS_WITH(load_model(folder.path()), Contains("model.safetensors"));
  CHECK_THROWS_WITH(load_model(testing::demo_folder, {"fp17"}), Contains("dtype: 'fp17'"));
  folder.write("config.json", with_setting(demo("config.json"), "encoder_layers", 5).dump());
  std::filesystem::create_symlink(testing::demo_folder / "model.safetensors",
                                  folder.path() / "model.safetensors");
  CHECK_THROWS_WITH(load_model(folder.path()),
                    Contains("tensor 'model.encoder.layers.4.") && Contains("is missing"));
  folder.write("config.json", with_setting(demo("config.json"), "encoder_layers", 3).dump());
  CHECK_THROWS_WITH(load_model(folder.path()),
                    Contains("unknown tensors") && Contains("model.encoder.layers.3.fc1.bias"));
}

}  // namespace knnseq::model
