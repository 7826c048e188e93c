#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "model/families/families.hpp"

namespace knnseq::model {

namespace {

StackConfig read_hugging_face_stack(ConfigReader& config, const std::string& side) {
  StackConfig stack;
  stack.width = config.integer("d_model");
  stack.layers = config.integer(side + "_layers");
  stack.heads = config.integer(side + "_attention_heads");
  stack.ffn_width = config.integer(side + "_ffn_dim");
  stack.max_positions = config.integer("max_position_embeddings");
  if (config.boolean("scale_embedding", false)) {
    stack.embedding_scale = std::sqrt(static_cast<double>(stack.width));
  }
  return stack;
}

}  // namespace

TransformerConfig read_hugging_face_shape(ConfigReader& config) {
  TransformerConfig made;
  made.activation = read_activation(config, "activation_function");
  made.encoder = read_hugging_face_stack(config, "encoder");
  made.decoder = read_hugging_face_stack(config, "decoder");
  config.expect("is_encoder_decoder", true);
  config.expect("is_decoder", false);
  config.expect("add_cross_attention", false);
  config.expect("quantization_config", nullptr);
  config.expect("tie_encoder_decoder", false);
  return made;
}

void ignore_harmless_keys(ConfigReader& config) {
  config.ignore({"_attn_implementation_autoset",
                 "_name_or_path",
                 "_num_labels",
                 "activation_dropout",
                 "architectures",
                 "attention_dropout",
                 "bad_words_ids",
                 "bos_token_id",
                 "chunk_size_feed_forward",
                 "classif_dropout",
                 "classifier_dropout",
                 "decoder_layerdrop",
                 "dropout",
                 "dtype",
                 "encoder_layerdrop",
                 "extra_pos_embeddings",
                 "finetuning_task",
                 "forced_eos_token_id",
                 "gradient_checkpointing",
                 "id2label",
                 "init_std",
                 "label2id",
                 "max_length",
                 "num_beams",
                 "num_hidden_layers",
                 "output_attentions",
                 "output_hidden_states",
                 "output_past",
                 "prefix",
                 "problem_type",
                 "pruned_heads",
                 "return_dict",
                 "sep_token_id",
                 "task_specific_params",
                 "tokenizer_class",
                 "torch_dtype",
                 "transformers_version",
                 "use_cache"});
}

std::vector<TokenId> read_bad_tokens(ConfigReader& config, std::int64_t vocab_size) {
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
  tokens.erase(std::unique(tokens.begin(), tokens.end()), tokens.end());
  return tokens;
}

void read_generation_config(const std::filesystem::path& file, const core::Json& json,
                            bool language_model, ModelInfo& info) {
  ConfigReader generation(file, json);
  info.bad_tokens = read_bad_tokens(generation, info.vocab_size);
  generation.expect("decoder_start_token_id", info.decoder_start);
  generation.expect("eos_token_id", info.eos);
  generation.expect("pad_token_id", info.pad);
  generation.expect("forced_eos_token_id", info.eos);
  if (!language_model) generation.expect("forced_bos_token_id", nullptr);
  for (const char* key : {"forced_decoder_ids", "suppress_tokens", "begin_suppress_tokens",
                          "force_words_ids", "sequence_bias"}) {
    generation.expect(key, nullptr);
  }
  generation.ignore({"_from_model_config", "bos_token_id", "transformers_version"});
  for (const std::string& key : generation.unread()) {
    info.unused_settings.push_back(key + "=" + json.at(key).dump());
  }
}

}  // namespace knnseq::model
