// Configs of M2M100 and NLLB-200 as they are published, and what is refused by name.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "model/families/families.hpp"

namespace knnseq::model {

namespace {

using Catch::Contains;
using core::Json;

/// Keys and values of facebook/m2m100_418M.
const Json m2m100 = Json::parse(R"({"_name_or_path": "m2m100_418M", "activation_dropout": 0.0,
    "activation_function": "relu", "architectures": ["M2M100ForConditionalGeneration"],
    "attention_dropout": 0.1, "bos_token_id": 0, "d_model": 1024, "decoder_attention_heads": 16,
    "decoder_ffn_dim": 4096, "decoder_layerdrop": 0.05, "decoder_layers": 12,
    "decoder_start_token_id": 2, "dropout": 0.1, "early_stopping": true,
    "encoder_attention_heads": 16, "encoder_ffn_dim": 4096, "encoder_layerdrop": 0.05,
    "encoder_layers": 12, "eos_token_id": 2, "gradient_checkpointing": false, "init_std": 0.02,
    "is_encoder_decoder": true, "max_length": 200, "max_position_embeddings": 1024,
    "model_type": "m2m_100", "num_beams": 5, "num_hidden_layers": 12, "pad_token_id": 1,
    "scale_embedding": true, "transformers_version": "4.7.0.dev0", "use_cache": true,
    "vocab_size": 128112})");

const Json generation = Json::parse(R"({"_from_model_config": true, "bos_token_id": 0,
    "decoder_start_token_id": 2, "early_stopping": true, "eos_token_id": 2, "max_length": 200,
    "num_beams": 5, "pad_token_id": 1, "transformers_version": "4.27.0.dev0"})");

ModelConfig read_m2m100(const Json& config, const Json& generating = {}) {
  return read_m2m100_config("folder", config, generating);
}

Json with_value(Json json, const std::string& key, const Json& value) {
  json[key] = value;
  return json;
}

}  // namespace

TEST_CASE("M2M100's published config", "[model]") {
  for (const ModelConfig& made : {read_m2m100(m2m100), read_m2m100(m2m100, generation)}) {
    CHECK(made.info.family == "m2m_100");
    CHECK(made.info.width == 1024);
    CHECK(made.info.decoder_layers == 12);
    CHECK(made.info.vocab_size == 128112);
    CHECK(made.info.source_positions == 1024);
    CHECK(made.info.decoder_start == 2);
    CHECK(made.info.eos == 2);
    CHECK(made.info.pad == 1);
    for (const StackConfig& stack : {made.transformer.encoder, made.transformer.decoder}) {
      CHECK(stack.norm == NormPlacement::pre);
      CHECK(stack.closing_norm);
      CHECK(stack.embedding_scale == 32.0);
      CHECK(stack.positions == PositionKind::fairseq_sinusoidal);
      CHECK(stack.position_offset == 2);
    }
    CHECK(made.transformer.tied_output);
    CHECK_FALSE(made.transformer.output_bias);
  }
}

TEST_CASE("NLLB-200's published config", "[model]") {
  Json nllb =
      with_value(with_value(m2m100, "vocab_size", 256206), "tokenizer_class", "NllbTokenizer");
  nllb["torch_dtype"] = "float32";
  nllb["encoder_layerdrop"] = nllb["decoder_layerdrop"] = 0;
  nllb["encoder_layers"] = nllb["decoder_layers"] = nllb["num_hidden_layers"] = 24;
  nllb["encoder_ffn_dim"] = nllb["decoder_ffn_dim"] = 8192;
  nllb["d_model"] = 2048;  // 3.3B
  CHECK(read_m2m100(nllb, generation).transformer.decoder.ffn_width == 8192);
  // A forced language is the user's to choose.
  CHECK(read_m2m100(with_value(nllb, "forced_bos_token_id", 256047)).info.forced_tokens.empty());
  const auto unused =
      read_m2m100(nllb, with_value(generation, "forced_bos_token_id", 256047)).info.unused_settings;
  CHECK(std::ranges::count(unused, "forced_bos_token_id=256047") == 1);
}

TEST_CASE("keys of M2M100's config that cannot be honoured are refused by name", "[model]") {
  struct Case {
    std::string key;
    Json value;
  };
  const std::vector<Case> cases = {{"model_type", "nllb-moe"},
                                   {"tie_word_embeddings", false},
                                   {"activation_function", "gelu_new"},
                                   {"d_model", 3},
                                   {"eos_token_id", 128112},
                                   {"vocab_size", "128112"},
                                   {"num_experts", 128}};
  for (const auto& [key, value] : cases) {
    INFO(key << " = " << value.dump());
    CHECK_THROWS_AS(read_m2m100(with_value(m2m100, key, value)), core::InputError);
    CHECK_THROWS_WITH(read_m2m100(with_value(m2m100, key, value)),
                      Contains("folder/config.json") && Contains(key));
  }
  CHECK_THROWS_WITH(read_m2m100(m2m100, with_value(generation, "decoder_start_token_id", 0)),
                    Contains("generation_config.json") && Contains("decoder_start_token_id"));
}

}  // namespace knnseq::model
