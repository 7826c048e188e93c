#include <algorithm>
#include <functional>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "model/base/check_sentences.hpp"
#include "model/base/row_groups.hpp"
#include "model/base/translation_model.hpp"
#include "model/layers/attention.hpp"
#include "model/layers/packed_tokens.hpp"
#include "model/transformer/source_means.hpp"
#include "model/transformer/transformer.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t run_rows = 512;  // tokens a side; see tests/benchmarks/encode_speed.cpp

/// Tensors made under this know nothing of autograd, and callers may change them in place.
using NoAutograd = at::AutoDispatchBelowADInplaceOrView;

/// Where a decoding stands.
/// Rows are never moved: reordering changes `backpointers`, and sentences that leave are dropped
/// from `cross_segments`. Memory is therefore held until the whole block is done: at each step
/// layers·rows·2·d floats.
struct TransformerStateCpu final : DecoderState {
  KeySpec key;                                ///< resolved
  std::vector<at::Tensor> cross_kv;           ///< of each layer [source rows, 2·d]
  std::vector<std::vector<at::Tensor>> past;  ///< of each layer and step [rows, 2·d] fp32
  std::vector<std::vector<std::int32_t>> backpointers;  ///< of each row: its row in each past step
  std::vector<AttentionSegment> cross_segments;         ///< of each sentence still there
  std::int64_t position = 0;                            ///< steps done

  std::int64_t rows() const override { return static_cast<std::int64_t>(backpointers.size()); }
  std::int64_t sentences() const { return static_cast<std::int64_t>(cross_segments.size()); }
  std::int64_t beams() const { return sentences() == 0 ? 0 : rows() / sentences(); }
};

void reorder_state(TransformerStateCpu& state, std::span<const std::int64_t> rows) {
  const RowGroups groups = group_rows(rows, state.rows(), state.beams());
  std::vector<std::vector<std::int32_t>> backpointers;
  backpointers.reserve(rows.size());
  for (const std::int64_t row : rows) backpointers.push_back(state.backpointers[row]);
  std::vector<AttentionSegment> segments;
  for (const std::int64_t sentence : groups.sentences) {
    AttentionSegment segment = state.cross_segments[sentence];
    segment.query_begin = static_cast<std::int64_t>(segments.size()) * groups.beams;
    segment.query_end = segment.query_begin + groups.beams;
    segments.push_back(segment);
  }
  state.backpointers = std::move(backpointers);
  state.cross_segments = std::move(segments);
}

/// Ranges of sentences with the rows before them.
struct Run {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::int64_t source_row = 0;
  std::int64_t target_row = 0;
};

std::int64_t count_tokens(Sentences sentences) {
  std::int64_t tokens = 0;
  for (const auto& sentence : sentences) tokens += static_cast<std::int64_t>(sentence.size());
  return tokens;
}

Sentences part(Sentences sentences, const Run& run) {
  return sentences.subspan(run.begin, run.end - run.begin);
}

std::vector<Run> make_runs(Sentences sources, Sentences targets) {
  std::vector<Run> runs;
  Run run;
  for (const std::size_t end : cut_runs(sources, targets, run_rows)) {
    run.end = end;
    runs.push_back(run);
    run.source_row += count_tokens(part(sources, run));
    if (!targets.empty()) run.target_row += count_tokens(part(targets, run));
    run.begin = end;
  }
  return runs;
}

/// Whole runs to threads if that keeps all of them busy, else one run after another with threads
/// inside of them.
void for_each_run(const std::vector<Run>& runs, bool in_order,
                  const std::function<void(const Run&)>& work) {
  const auto count = static_cast<std::int64_t>(runs.size());
  const bool together = !in_order && count >= at::get_num_threads();
  at::parallel_for(0, count, together ? 1 : count, [&](std::int64_t begin, std::int64_t end) {
    const NoAutograd guard;
    for (std::int64_t i = begin; i < end; ++i) work(runs[i]);
  });
}

/// Self-attention over queries, keys and values side by side [rows, 3·d].
at::Tensor attend_to_self(const at::Tensor& qkv, std::int64_t heads, bool causal,
                          std::span<const AttentionSegment> segments) {
  const std::int64_t width = qkv.size(1) / 3;
  return attend({.queries = qkv.narrow(1, 0, width),
                 .keys = qkv.narrow(1, width, width),
                 .values = qkv.narrow(1, 2 * width, width),
                 .heads = heads,
                 .causal = causal},
                segments);
}

/// Attention to keys and values side by side [rows, 2·d].
at::Tensor attend_to_source(const at::Tensor& queries, const at::Tensor& kv, std::int64_t heads,
                            std::span<const AttentionSegment> segments) {
  const std::int64_t width = queries.size(1);
  return attend({.queries = queries,
                 .keys = kv.narrow(1, 0, width),
                 .values = kv.narrow(1, width, width),
                 .heads = heads},
                segments);
}

std::vector<AttentionSegment> segments_of(const PackedTokens& queries, const PackedTokens& keys) {
  std::vector<AttentionSegment> segments;
  for (std::size_t i = 0; i < queries.sentences(); ++i) {
    segments.push_back(
        {queries.starts[i], queries.starts[i + 1], keys.starts[i], keys.starts[i + 1]});
  }
  return segments;
}

/// Rows of `vectors` [rows, …] that predict a target token: all but the first `skipped` of each
/// sentence.
at::Tensor predicting_rows(const at::Tensor& vectors, const PackedTokens& targets,
                           std::int64_t skipped) {
  if (skipped == 0) return vectors.narrow(0, 0, targets.rows());
  std::vector<at::Tensor> parts;
  for (std::size_t i = 0; i < targets.sentences(); ++i) {
    parts.push_back(vectors.slice(0, targets.starts[i] + skipped, targets.starts[i + 1]));
  }
  return at::cat(parts);
}

class TransformerCpu final : public TranslationModel {
 public:
  explicit TransformerCpu(TransformerParts parts, TransformerObserver observer)
      : parts_(std::move(parts)), observer_(std::move(observer)) {}

  const ModelInfo& info() const override { return parts_.info; }
  EncodedSource encode(Sentences sources) override;
  TeacherForced teacher_force(Sentences sources, Sentences targets,
                              const TeacherForcingOptions& options) override;
  std::unique_ptr<DecoderState> start(const EncodedSource& source, std::int64_t beams,
                                      KeySpec key) override;
  StepOutput step(DecoderState& state, std::span<const TokenId> tokens) override;
  void reorder(DecoderState& state, std::span<const std::int64_t> rows) override;

 private:
  /// The encoder's output [rows rounded up, source_width].
  at::Tensor encode_run(const PackedTokens& tokens, const LayerObserver& observer) const;

  TransformerParts parts_;
  TransformerObserver observer_;
};

at::Tensor TransformerCpu::encode_run(const PackedTokens& tokens,
                                      const LayerObserver& observer) const {
  const Encoder& encoder = parts_.encoder;
  const auto own = segments_of(tokens, tokens);
  return encoder.forward(
      encoder.embedding.forward(tokens.ids, tokens.positions),
      [&](std::size_t, const at::Tensor& qkv) {
        return attend_to_self(qkv, encoder.heads, /*causal=*/false, own);
      },
      observer);
}

EncodedSource TransformerCpu::encode(Sentences sources) {
  const NoAutograd guard;
  check_source(sources, info());
  EncodedSource made;
  for (const auto& sentence : sources) {
    made.lengths.push_back(static_cast<std::int64_t>(sentence.size()));
  }
  made.states = at::empty({count_tokens(sources), info().source_width}, at::kFloat);
  for_each_run(make_runs(sources, {}), false, [&](const Run& run) {
    const PackedTokens tokens = pack_sentences(part(sources, run));
    const at::Tensor states = encode_run(tokens, {});
    made.states.narrow(0, run.source_row, tokens.rows()).copy_(states.narrow(0, 0, tokens.rows()));
  });
  return made;
}

TeacherForced TransformerCpu::teacher_force(Sentences sources, Sentences targets,
                                            const TeacherForcingOptions& options) {
  const NoAutograd guard;
  KNNSEQ_ASSERT(sources.size() == targets.size(), "sources and targets must be equally many");
  check_source(sources, info());
  check_target(targets, info());
  const std::int64_t entries = count_tokens(targets);
  TeacherForced made;
  made.keys = at::empty({entries, info().width}, at::kFloat);
  if (options.sentence_keys) {
    const auto count = static_cast<std::int64_t>(sources.size());
    made.sentence_keys = at::empty({count, info().source_width}, at::kFloat);
  }
  if (options.log_probs) made.log_probs = at::empty({entries, info().vocab_size}, at::kFloat);

  const Decoder& decoder = parts_.decoder;
  const KeySpec key = options.key.resolved(info().decoder_layers);
  std::vector<TokenId> prefix = {info().decoder_start};
  prefix.insert(prefix.end(), info().forced_tokens.begin(), info().forced_tokens.end());
  const auto skipped = std::ssize(info().forced_tokens);
  const bool observed = observer_.encoder || observer_.decoder;
  for_each_run(make_runs(sources, targets), observed, [&](const Run& run) {
    const PackedTokens source = pack_sentences(part(sources, run));
    const PackedTokens target = pack_shifted(part(targets, run), prefix);
    const at::Tensor states = encode_run(source, observer_.encoder);
    if (options.sentence_keys) {
      const auto count = static_cast<std::int64_t>(source.sentences());
      const auto first = static_cast<std::int64_t>(run.begin);
      mean_rows(states.to(at::kFloat).contiguous(), source.starts,
                made.sentence_keys.narrow(0, first, count));
    }
    const auto own = segments_of(target, target);
    const auto cross = segments_of(target, source);
    const auto cross_kv = decoder.cross_keys_values(states);
    const DecoderContext context{
        .self_attention =
            [&](std::size_t, const at::Tensor& qkv) {
              return attend_to_self(qkv, decoder.heads, /*causal=*/true, own);
            },
        .cross_attention =
            [&](std::size_t layer, const at::Tensor& queries) {
              return attend_to_source(queries, cross_kv[layer], decoder.heads, cross);
            },
        .observer = observer_.decoder};
    const DecoderOutput out = decoder.forward(
        decoder.embedding.forward(target.ids, target.positions), context, {key, options.log_probs});
    const at::Tensor keys = predicting_rows(out.key, target, skipped);
    made.keys.narrow(0, run.target_row, keys.size(0)).copy_(keys);
    if (options.log_probs) {
      // Rounded-up rows as they are: their number decides how the product rounds.
      made.log_probs.narrow(0, run.target_row, keys.size(0))
          .copy_(predicting_rows(decoder.log_probs(out.hidden), target, skipped));
    }
  });
  return made;
}

std::unique_ptr<DecoderState> TransformerCpu::start(const EncodedSource& source, std::int64_t beams,
                                                    KeySpec key) {
  const NoAutograd guard;
  KNNSEQ_ASSERT(beams > 0, "a state needs at least one row a sentence");
  auto state = std::make_unique<TransformerStateCpu>();
  state->key = key.resolved(info().decoder_layers);
  const std::int64_t rows = source.states.size(0);
  at::Tensor padded =
      at::zeros({rounded_rows(rows), info().source_width}, parts_.encoder.embedding.dtype);
  padded.narrow(0, 0, rows).copy_(source.states);
  state->cross_kv = parts_.decoder.cross_keys_values(padded);
  state->past.resize(parts_.decoder.layers.size());
  std::int64_t row = 0;
  for (const std::int64_t length : source.lengths) {
    const std::int64_t first = state->sentences() * beams;
    state->cross_segments.push_back({first, first + beams, row, row + length});
    row += length;
  }
  KNNSEQ_ASSERT(row == rows, "states and lengths of the encoded source differ");
  state->backpointers.resize(source.lengths.size() * static_cast<std::size_t>(beams));
  return state;
}

StepOutput TransformerCpu::step(DecoderState& any_state, std::span<const TokenId> tokens) {
  const NoAutograd guard;
  TransformerStateCpu& state = state_of<TransformerStateCpu>(any_state);
  const std::int64_t rows = state.rows();
  KNNSEQ_ASSERT(static_cast<std::int64_t>(tokens.size()) == rows && rows > 0,
                "a step takes one token a row");
  KNNSEQ_ASSERT(state.position < info().target_positions, "the model has no more positions");
  at::Tensor ids = at::zeros({rounded_rows(rows)}, at::kLong);
  std::ranges::copy(tokens, ids.mutable_data_ptr<std::int64_t>());
  const at::Tensor places = at::full_like(ids, state.position);
  for (std::size_t row = 0; row < state.backpointers.size(); ++row) {
    state.backpointers[row].push_back(static_cast<std::int32_t>(row));
  }
  const Decoder& decoder = parts_.decoder;
  const DecoderContext context{
      .self_attention =
          [&](std::size_t layer, const at::Tensor& qkv) {
            const std::int64_t width = info().width;
            state.past[layer].push_back(
                qkv.narrow(1, width, 2 * width).to(at::kFloat).contiguous());
            return attend_history(qkv.narrow(1, 0, width), {state.past[layer], state.backpointers},
                                  decoder.heads);
          },
      .cross_attention =
          [&](std::size_t layer, const at::Tensor& queries) {
            return attend_to_source(queries, state.cross_kv[layer], decoder.heads,
                                    state.cross_segments);
          },
      .observer = {}};
  const DecoderOutput out =
      decoder.forward(decoder.embedding.forward(ids, places), context, {state.key, true});
  ++state.position;
  return {out.key.narrow(0, 0, rows).to(at::kFloat),
          decoder.log_probs(out.hidden).narrow(0, 0, rows)};
}

void TransformerCpu::reorder(DecoderState& state, std::span<const std::int64_t> rows) {
  reorder_state(state_of<TransformerStateCpu>(state), rows);
}

}  // namespace

std::unique_ptr<TranslationModel> make_transformer_cpu(TransformerParts parts,
                                                       TransformerObserver observer) {
  return std::make_unique<TransformerCpu>(std::move(parts), std::move(observer));
}

}  // namespace knnseq::model
