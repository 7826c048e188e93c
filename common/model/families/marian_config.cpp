#include "model/families/families.hpp"

namespace knnseq::model {

namespace {

/// Keys that old files carry and that Marian's code never had a second value for.
void refuse_variants(ConfigReader& config) {
  config.expect("normalize_before", false);
  config.expect("normalize_embedding", false);
  config.expect("add_final_layer_norm", false);
  config.expect("add_bias_logits", false);
  config.expect("static_position_embeddings", true);
}

}  // namespace

ModelConfig read_marian_config(const std::filesystem::path& folder, const core::Json& json,
                               const core::Json& generation) {
  const std::string file = folder / "config.json";
  ConfigReader config(file, json);
  config.expect("model_type", "marian");
  ModelConfig made;
  made.names = {"model.", "lm_head.weight", "final_logits_bias"};
  TransformerConfig& shape = made.transformer;
  shape = read_hugging_face_shape(config);
  shape.source_vocab_size = config.integer("vocab_size");
  shape.vocab_size = config.integer("decoder_vocab_size", shape.source_vocab_size);
  shape.shared_embeddings = config.boolean("share_encoder_decoder_embeddings", true);
  shape.tied_output = config.boolean("tie_word_embeddings", true);
  shape.output_bias = true;
  shape.validate(file);
  if (shape.shared_embeddings && shape.vocab_size != shape.source_vocab_size) {
    config.fail("decoder_vocab_size", "differs from vocab_size, but the embeddings are shared");
  }

  ModelInfo& info = made.info;
  describe_shape("marian", shape, info);
  info.decoder_start = read_token(config, "decoder_start_token_id", info.vocab_size);
  info.eos = read_token(config, "eos_token_id", info.vocab_size);
  info.pad = read_token(config, "pad_token_id", info.vocab_size);
  refuse_variants(config);
  if (generation.is_null()) info.bad_tokens = read_bad_tokens(config, info.vocab_size);
  ignore_harmless_keys(config);
  config.finish();
  if (!generation.is_null()) {
    read_generation_config(folder / "generation_config.json", generation, false, info);
  }
  return made;
}

}  // namespace knnseq::model
