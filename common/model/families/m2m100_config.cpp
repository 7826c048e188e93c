#include "model/families/families.hpp"

namespace knnseq::model {

ModelConfig read_m2m100_config(const std::filesystem::path& folder, const core::Json& json,
                               const core::Json& generation) {
  const std::string file = folder / "config.json";
  ConfigReader config(file, json);
  config.expect("model_type", "m2m_100");
  config.expect("tie_word_embeddings", true);
  ModelConfig made;
  made.names = {"model.", "lm_head.weight", ""};
  TransformerConfig& shape = made.transformer;
  shape = read_hugging_face_shape(config);
  shape.vocab_size = config.integer("vocab_size");
  shape.source_vocab_size = shape.vocab_size;
  shape.shared_embeddings = true;
  shape.tied_output = true;

  ModelInfo& info = made.info;
  info.decoder_start = read_token(config, "decoder_start_token_id", shape.vocab_size);
  info.eos = read_token(config, "eos_token_id", shape.vocab_size);
  info.pad = read_token(config, "pad_token_id", shape.vocab_size);
  for (StackConfig* stack : {&shape.encoder, &shape.decoder}) {
    stack->norm = NormPlacement::pre;
    stack->closing_norm = true;
    stack->positions = PositionKind::fairseq_sinusoidal;
    stack->position_offset = info.pad + 1;
    check_position_width(config, "d_model", *stack);
  }
  shape.validate(file);
  describe_shape("m2m_100", shape, info);
  if (generation.is_null()) info.bad_tokens = read_bad_tokens(config, info.vocab_size);
  ignore_harmless_keys(config);
  config.ignore({"early_stopping", "forced_bos_token_id"});
  config.finish();
  if (!generation.is_null()) {
    read_generation_config(folder / "generation_config.json", generation, true, info);
  }
  return made;
}

}  // namespace knnseq::model
