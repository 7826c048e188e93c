#include "model/marian_config.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"
#include "model/config_reader.hpp"

namespace knnseq::model {

namespace {

Activation parse_activation(ConfigReader& config) {
  const std::string name = config.text("activation_function");
  if (name == "relu") return Activation::relu;
  if (name == "gelu") return Activation::gelu;
  if (name == "silu" || name == "swish") return Activation::silu;
  config.fail("activation_function", "'" + name + "' is not supported; relu, gelu, silu are");
}

TransformerConfig read_transformer(ConfigReader& config) {
  TransformerConfig made;
  made.width = config.integer("d_model");
  made.max_positions = config.integer("max_position_embeddings");
  made.activation = parse_activation(config);
  if (config.boolean("scale_embedding", false)) {
    made.embedding_scale = std::sqrt(static_cast<double>(made.width));
  }
  made.encoder.layers = config.integer("encoder_layers");
  made.encoder.heads = config.integer("encoder_attention_heads");
  made.encoder.ffn_width = config.integer("encoder_ffn_dim");
  made.decoder.layers = config.integer("decoder_layers");
  made.decoder.heads = config.integer("decoder_attention_heads");
  made.decoder.ffn_width = config.integer("decoder_ffn_dim");
  return made;
}

/// Keys that old files carry and that Marian's code never had a second value for.
void refuse_variants(ConfigReader& config) {
  config.expect("is_encoder_decoder", true);
  config.expect("is_decoder", false);
  config.expect("add_cross_attention", false);
  config.expect("normalize_before", false);
  config.expect("normalize_embedding", false);
  config.expect("add_final_layer_norm", false);
  config.expect("add_bias_logits", false);
  config.expect("static_position_embeddings", true);
  config.expect("quantization_config", nullptr);
  config.expect("tie_encoder_decoder", false);
}

void ignore_what_does_not_matter(ConfigReader& config) {
  config.ignore({"_name_or_path",
                 "_num_labels",
                 "activation_dropout",
                 "architectures",
                 "attention_dropout",
                 "bad_words_ids",
                 "bos_token_id",
                 "classif_dropout",
                 "classifier_dropout",
                 "decoder_layerdrop",
                 "dropout",
                 "dtype",
                 "encoder_layerdrop",
                 "extra_pos_embeddings",
                 "forced_eos_token_id",
                 "gradient_checkpointing",
                 "id2label",
                 "init_std",
                 "label2id",
                 "max_length",
                 "num_beams",
                 "num_hidden_layers",
                 "output_past",
                 "torch_dtype",
                 "transformers_version",
                 "use_cache",
                 "output_attentions",
                 "output_hidden_states",
                 "return_dict",
                 "chunk_size_feed_forward",
                 "finetuning_task",
                 "task_specific_params",
                 "problem_type",
                 "tokenizer_class",
                 "prefix",
                 "sep_token_id",
                 "pruned_heads"});
}

TokenId token(ConfigReader& config, const std::string& key, std::int64_t vocab_size) {
  const std::int64_t id = config.integer(key);
  if (id < 0 || id >= vocab_size) config.fail(key, fmt::format("{} is outside the vocabulary", id));
  return core::narrow<TokenId>(id);
}

/// Bad words of one token each, ascending.
std::vector<TokenId> bad_tokens(ConfigReader& config, std::int64_t vocab_size) {
  std::vector<TokenId> tokens;
  const core::Json& words = config.value("bad_words_ids");
  if (words.is_null()) return tokens;
  for (const core::Json& word : words) {
    if (!word.is_array() || word.size() != 1 || !word[0].is_number_integer()) {
      config.fail("bad_words_ids", word.dump() + " is not supported: only single tokens are");
    }
    const auto id = word[0].get<std::int64_t>();
    if (id < 0 || id >= vocab_size) {
      config.fail("bad_words_ids", fmt::format("{} is outside the vocabulary", id));
    }
    tokens.push_back(core::narrow<TokenId>(id));
  }
  std::ranges::sort(tokens);
  tokens.erase(std::ranges::unique(tokens).begin(), tokens.end());
  return tokens;
}

void read_generation(const std::string& file, const core::Json& json, ModelInfo& info) {
  ConfigReader generation(file, json);
  info.bad_tokens = bad_tokens(generation, info.vocab_size);
  generation.expect("decoder_start_token_id", info.decoder_start);
  generation.expect("eos_token_id", info.eos);
  generation.expect("pad_token_id", info.pad);
  generation.expect("forced_eos_token_id", info.eos);
  for (const char* key : {"forced_bos_token_id", "forced_decoder_ids", "suppress_tokens",
                          "begin_suppress_tokens", "force_words_ids", "sequence_bias"}) {
    generation.expect(key, nullptr);
  }
  generation.ignore({"_from_model_config", "bos_token_id", "transformers_version"});
  for (const std::string& key : generation.unread()) {
    info.unused_settings.push_back(key + "=" + json.at(key).dump());
  }
}

}  // namespace

MarianConfig read_marian_config(const std::filesystem::path& folder, const core::Json& json,
                                const core::Json& generation) {
  const std::string file = folder / "config.json";
  ConfigReader config(file, json);
  config.expect("model_type", "marian");
  MarianConfig made;
  made.transformer = read_transformer(config);
  made.transformer.validate(file);
  made.source_vocab_size = config.integer("vocab_size");
  made.shared_embeddings = config.boolean("share_encoder_decoder_embeddings", true);
  made.tied_output = config.boolean("tie_word_embeddings", true);

  ModelInfo& info = made.info;
  info.family = "marian";
  info.width = made.transformer.width;
  info.max_positions = made.transformer.max_positions;
  info.vocab_size = config.integer("decoder_vocab_size", made.source_vocab_size);
  if (made.shared_embeddings && info.vocab_size != made.source_vocab_size) {
    config.fail("decoder_vocab_size", "differs from vocab_size, but the embeddings are shared");
  }
  info.decoder_start = token(config, "decoder_start_token_id", info.vocab_size);
  info.eos = token(config, "eos_token_id", info.vocab_size);
  info.pad = token(config, "pad_token_id", info.vocab_size);
  refuse_variants(config);
  if (generation.is_null()) info.bad_tokens = bad_tokens(config, info.vocab_size);
  ignore_what_does_not_matter(config);
  config.finish();
  if (!generation.is_null()) read_generation(folder / "generation_config.json", generation, info);
  return made;
}

}  // namespace knnseq::model
