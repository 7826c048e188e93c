#include <cmath>

#include "core/error.hpp"
#include "model/families/families.hpp"

namespace knnseq::model {

namespace {

StackConfig read_fairseq_stack(ConfigReader& config, const std::string& side) {
  const bool encoder = side == "encoder";
  StackConfig stack;
  stack.width = config.integer(side + "_embed_dim");
  stack.ffn_width = config.integer(side + "_ffn_embed_dim");
  stack.layers = config.integer(side + "_layers");
  stack.heads = config.integer(side + "_attention_heads");
  const bool pre_norm = config.boolean(side + "_normalize_before", false);
  stack.norm = pre_norm ? NormPlacement::pre : NormPlacement::post;
  stack.closing_norm = encoder ? pre_norm : config.boolean("decoder_final_norm", pre_norm);
  stack.embedding_norm = config.boolean("layernorm_embedding", false);
  if (!config.boolean("no_scale_embedding", false)) {
    stack.embedding_scale = std::sqrt(static_cast<double>(stack.width));
  }
  const bool learned = config.boolean(side + "_learned_pos", false);
  const bool none = config.boolean("no_token_positional_embeddings", false);
  stack.positions = none      ? PositionKind::none
                    : learned ? PositionKind::learned
                              : PositionKind::fairseq_sinusoidal;
  check_position_width(config, side + "_embed_dim", stack);
  stack.max_positions = config.integer(encoder ? "max_source_positions" : "max_target_positions");
  return stack;
}

}  // namespace

ModelConfig read_fairseq_config(const std::filesystem::path& folder, const core::Json& json,
                                const core::Json& generation) {
  if (!generation.is_null()) {
    throw core::InputError(folder / "generation_config.json", "fairseq models have none");
  }
  const std::string file = folder / "config.json";
  ConfigReader config(file, json);
  config.expect("model_type", "fairseq_transformer");
  ModelConfig made;
  made.names = {"", "decoder.output_projection.weight", ""};
  TransformerConfig& shape = made.transformer;
  shape.activation = read_activation(config, "activation_fn");
  shape.encoder = read_fairseq_stack(config, "encoder");
  shape.decoder = read_fairseq_stack(config, "decoder");
  shape.source_vocab_size = config.integer("source_vocab_size");
  shape.vocab_size = config.integer("target_vocab_size");
  shape.shared_embeddings = config.boolean("share_all_embeddings", false);
  shape.tied_output =
      config.boolean("share_decoder_input_output_embed", false) || shape.shared_embeddings;
  if (shape.shared_embeddings && shape.vocab_size != shape.source_vocab_size) {
    config.fail("target_vocab_size",
                "differs from source_vocab_size, but the embeddings are shared");
  }

  ModelInfo& info = made.info;
  info.eos = read_token(config, "eos_token_id", shape.vocab_size);
  info.pad = read_token(config, "pad_token_id", shape.vocab_size);
  info.decoder_start = info.eos;
  for (StackConfig* stack : {&shape.encoder, &shape.decoder}) {
    if (stack->positions != PositionKind::none) stack->position_offset = info.pad + 1;
  }
  shape.validate(file);
  describe_shape("fairseq_transformer", shape, info);
  config.ignore({"architecture", "bos_token_id", "unk_token_id"});
  config.finish();
  return made;
}

}  // namespace knnseq::model
