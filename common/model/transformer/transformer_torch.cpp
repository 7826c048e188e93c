#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "model/base/check_sentences.hpp"
#include "model/layers/attention.hpp"
#include "model/layers/packed_tokens.hpp"
#include "model/transformer/transformer.hpp"
#include "model/transformer/transformer_state_torch.hpp"

namespace knnseq::model {

namespace {

/// Tensors made under this know nothing of autograd, and callers may change them in place.
using NoAutograd = at::AutoDispatchBelowADInplaceOrView;

/// One side of a batch on the device.
struct TorchTokens {
  at::Tensor ids;        ///< [rows] int64
  at::Tensor positions;  ///< [rows] int64
  PaddedLayout layout;
};

/// The host's half of it.
class TokenPlan {
 public:
  TokenPlan(const PackedTokens& tokens, gpu::IntegerUpload& upload)
      : ids_(upload.add(rows_of(tokens, tokens.ids))),
        positions_(upload.add(rows_of(tokens, tokens.positions))),
        layout_(tokens.starts, upload) {}

  TorchTokens take(const std::vector<at::Tensor>& sent, at::ScalarType dtype) const {
    return {sent[ids_], sent[positions_], layout_.take(sent, dtype)};
  }

 private:
  static std::span<const std::int64_t> rows_of(const PackedTokens& tokens, const at::Tensor& list) {
    return {list.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(tokens.rows())};
  }

  std::size_t ids_;
  std::size_t positions_;
  LayoutPlan layout_;
};

/// Rows that predict a target token: all but the first `skipped` of each sentence.
std::vector<std::int64_t> predicting_row_numbers(const PackedTokens& targets,
                                                 std::int64_t skipped) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < targets.sentences(); ++i) {
    for (auto row = targets.starts[i] + skipped; row < targets.starts[i + 1]; ++row) {
      rows.push_back(row);
    }
  }
  return rows;
}

/// The encoder's output [rows, source_width].
at::Tensor run_encoder(const Encoder& encoder, const TorchTokens& source) {
  return encoder.forward(encoder.embedding.forward(source.ids, source.positions),
                         [&](std::size_t, const at::Tensor& qkv) {
                           return attend_to_self(qkv, source.layout, encoder.heads,
                                                 /*causal=*/false);
                         });
}

/// Means [sentences, source_width] fp32 over each source's rows of `states`, summed in fp32.
at::Tensor mean_states(const at::Tensor& states, const PaddedLayout& layout) {
  at::Tensor padded = layout.pad(states).to(at::kFloat);
  if (!layout.mask_rows.defined()) return padded.mean(1);
  const at::Tensor tokens =
      (layout.mask_rows.narrow(1, 0, layout.longest) == 0).to(at::kFloat).unsqueeze(2);
  return (padded * tokens).sum(1).div_(tokens.sum(1));
}

/// Of each layer [sentences, longest, 2·d].
std::vector<at::Tensor> padded_cross(const Decoder& decoder, const at::Tensor& states,
                                     const PaddedLayout& source) {
  std::vector<at::Tensor> padded;
  for (const auto& packed : decoder.cross_keys_values(states)) padded.push_back(source.pad(packed));
  return padded;
}

class TransformerTorch final : public TranslationModel {
 public:
  explicit TransformerTorch(TransformerParts parts) : parts_(std::move(parts)) {}

  const ModelInfo& info() const override { return parts_.info; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  at::Device device() const { return parts_.encoder.embedding.positions.device(); }

  TransformerParts parts_;
};

EncodedSource TransformerTorch::encode(Sentences sources) {
  const NoAutograd guard;
  check_source(sources, info());
  EncodedSource made;
  for (const auto& sentence : sources) made.lengths.push_back(std::ssize(sentence));
  if (sources.empty()) {
    made.states = at::empty({0, info().source_width}, at::TensorOptions(device()));
    return made;
  }
  gpu::IntegerUpload upload;
  const TokenPlan plan(pack_sentences(sources), upload);
  const Encoder& encoder = parts_.encoder;
  const TorchTokens tokens = plan.take(upload.send(device()), encoder.embedding.dtype);
  made.states = run_encoder(encoder, tokens).to(at::kFloat);
  return made;
}

TeacherForced TransformerTorch::teacher_force(Sentences sources, Sentences targets,
                                              const TeacherForcingOptions& options) {
  const NoAutograd guard;
  KNNSEQ_ASSERT(sources.size() == targets.size(), "sources and targets must be equally many");
  check_source(sources, info());
  check_target(targets, info());
  TeacherForced made;
  if (sources.empty()) {
    const auto empty = [&](bool wanted, std::int64_t width) {
      return wanted ? at::empty({0, width}, at::TensorOptions(device())) : at::Tensor();
    };
    return {empty(true, info().width), empty(options.sentence_keys, info().source_width),
            empty(options.log_probs, info().vocab_size)};
  }
  const Decoder& decoder = parts_.decoder;
  const at::ScalarType dtype = decoder.embedding.dtype;
  std::vector<TokenId> prefix = {info().decoder_start};
  prefix.insert(prefix.end(), info().forced_tokens.begin(), info().forced_tokens.end());
  const auto skipped = std::ssize(info().forced_tokens);
  const PackedTokens packed_targets = pack_shifted(targets, prefix);
  gpu::IntegerUpload upload;
  const TokenPlan source_plan(pack_sentences(sources), upload);
  const TokenPlan target_plan(packed_targets, upload);
  const std::size_t predicting = upload.add(
      skipped == 0 ? std::vector<std::int64_t>() : predicting_row_numbers(packed_targets, skipped));
  const auto sent = upload.send(device());
  const TorchTokens source = source_plan.take(sent, dtype);
  const TorchTokens target = target_plan.take(sent, dtype);

  const at::Tensor states = run_encoder(parts_.encoder, source);
  if (options.sentence_keys) made.sentence_keys = mean_states(states, source.layout);
  const auto cross_kv = padded_cross(decoder, states, source.layout);
  const DecoderContext context{
      .self_attention =
          [&](std::size_t, const at::Tensor& qkv) {
            return attend_to_self(qkv, target.layout, decoder.heads, /*causal=*/true);
          },
      .cross_attention =
          [&](std::size_t layer, const at::Tensor& queries) {
            return attend_to_source(queries, target.layout, cross_kv[layer], source.layout,
                                    decoder.heads);
          },
      .observer = {}};
  const DecoderOutput out =
      decoder.forward(decoder.embedding.forward(target.ids, target.positions), context,
                      {options.key.resolved(info().decoder_layers), options.log_probs});
  const auto own_rows = [&](const at::Tensor& vectors) {
    return skipped == 0 ? vectors : vectors.index_select(0, sent[predicting]);
  };
  made.keys = own_rows(out.key).to(at::kFloat);
  if (options.log_probs) made.log_probs = decoder.log_probs(own_rows(out.hidden));
  return made;
}

std::unique_ptr<DecoderState> TransformerTorch::start(const EncodedSource& source,
                                                      std::int64_t beams, KeySpec key) {
  const NoAutograd guard;
  KNNSEQ_ASSERT(beams > 0, "a state needs at least one row a sentence");
  auto state = std::make_unique<TransformerStateTorch>();
  state->key = key.resolved(info().decoder_layers);
  state->sentences = std::ssize(source.lengths);
  state->beams = beams;
  state->past = KeyValueCache(std::ssize(parts_.decoder.layers));
  std::vector<std::int64_t> starts = {0};
  for (const std::int64_t length : source.lengths) starts.push_back(starts.back() + length);
  KNNSEQ_ASSERT(starts.back() == source.states.size(0),
                "states and lengths of the encoded source differ");
  gpu::IntegerUpload upload;
  const LayoutPlan plan(starts, upload);
  const at::ScalarType dtype = parts_.decoder.embedding.dtype;
  state->source = plan.take(upload.send(device()), dtype);
  state->cross_kv = padded_cross(parts_.decoder, source.states.to(dtype), state->source);
  return state;
}

StepOutput TransformerTorch::step(DecoderState& any_state, std::span<const TokenId> tokens) {
  const NoAutograd guard;
  TransformerStateTorch& state = state_of<TransformerStateTorch>(any_state);
  KNNSEQ_ASSERT(std::ssize(tokens) == state.rows() && state.rows() > 0,
                "a step takes one token a row");
  KNNSEQ_ASSERT(state.position < info().target_positions, "the model has no more positions");
  const Decoder& decoder = parts_.decoder;
  gpu::IntegerUpload upload;
  const std::size_t ids = upload.add(std::vector<std::int64_t>(tokens.begin(), tokens.end()));
  const StateMove move(state, upload);
  const auto sent = upload.send(device());
  move.apply(state, sent);

  const std::int64_t width = info().width;
  const DecoderContext context{
      .self_attention =
          [&](std::size_t layer, const at::Tensor& qkv) {
            const at::Tensor past = state.past.append(static_cast<std::int64_t>(layer),
                                                      qkv.narrow(1, width, 2 * width));
            const at::Tensor by_row = past.transpose(0, 1);  // [rows, steps, 2·d]
            const FusedAttention attend{decoder.heads};
            return attend(qkv.narrow(1, 0, width).unsqueeze(1), by_row.narrow(2, 0, width),
                          by_row.narrow(2, width, width))
                .squeeze(1);
          },
      .cross_attention =
          [&](std::size_t layer, const at::Tensor& queries) {
            const at::Tensor& kv = state.cross_kv[layer];
            const FusedAttention attend{decoder.heads, /*causal=*/false, state.source.mask()};
            return attend(queries.view({state.sentences, state.beams, width}),
                          kv.narrow(2, 0, width), kv.narrow(2, width, width))
                .reshape({state.rows(), width});
          },
      .observer = {}};
  const at::Tensor x = decoder.embedding.forward_at(sent[ids], state.position);
  const DecoderOutput out = decoder.forward(x, context, {state.key, true});
  ++state.position;
  return {out.key.to(at::kFloat), decoder.log_probs(out.hidden)};
}

void TransformerTorch::reorder(DecoderState& state, std::span<const std::int64_t> rows) {
  reorder_state(state_of<TransformerStateTorch>(state), rows);
}

}  // namespace

std::unique_ptr<TranslationModel> make_transformer_torch(TransformerParts parts) {
  return std::make_unique<TransformerTorch>(std::move(parts));
}

}  // namespace knnseq::model
