#include "model/torchscript/torchscript_model.hpp"

#include <algorithm>
#include <functional>

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>

#include "model/base/check_sentences.hpp"
#include "model/base/padded_tokens.hpp"
#include "model/base/row_groups.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t run_positions = 512;  // a side, padding counted

struct TorchscriptState final : DecoderState {
  at::Tensor states;   ///< [sentences, longest, source_width]
  at::Tensor lengths;  ///< [sentences]
  std::int64_t beams = 1;
  at::Tensor row_states;  ///< the same for each row
  at::Tensor row_lengths;
  std::vector<at::Tensor> cache;
  std::int64_t position = 0;

  std::int64_t rows() const override { return lengths.numel() * beams; }

  void repeat_for_rows() {
    row_states = states.repeat_interleave(beams, 0);
    row_lengths = lengths.repeat_interleave(beams, 0);
  }
};

/// Calls work(sources, targets) for run after run.
void for_each_padded_run(Sentences sources, Sentences targets,
                         const std::function<void(Sentences, Sentences)>& work) {
  std::size_t begin = 0;
  for (const std::size_t end : cut_padded_runs(sources, targets, run_positions)) {
    const std::size_t count = end - begin;
    work(sources.subspan(begin, count), targets.empty() ? targets : targets.subspan(begin, count));
    begin = end;
  }
}

/// Runs' rows one after another; [0, width] if there are none.
at::Tensor joined_runs(const std::vector<at::Tensor>& runs, std::int64_t width) {
  return runs.empty() ? at::empty({0, width}, at::kFloat) : at::cat(runs);
}

/// Means [B, d] over the sentences of `states` [B, longest, d], summed in double.
at::Tensor means(const at::Tensor& states, const at::Tensor& lengths) {
  std::vector<at::Tensor> made;
  for (std::int64_t i = 0; i < states.size(0); ++i) {
    const auto length = lengths[i].item<std::int64_t>();
    made.push_back(states[i].narrow(0, 0, length).mean(0, false, at::kDouble).to(at::kFloat));
  }
  return at::stack(made);
}

}  // namespace

TorchscriptModel::TorchscriptModel(const std::filesystem::path& file,
                                   const std::vector<TokenId>& forced_tokens)
    : path_(file.string()),
      info_(read_torchscript_facts(file, forced_tokens)),
      module_(file, info_) {}

EncodedSource TorchscriptModel::encode(Sentences sources) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  check_source(sources, info());
  EncodedSource made;
  for (const auto& sentence : sources) made.lengths.push_back(std::ssize(sentence));
  std::vector<at::Tensor> runs;
  for_each_padded_run(sources, {}, [&](Sentences run, Sentences) {
    const PaddedTokens source = pad_sentences(run, info().pad);
    runs.push_back(unpad(module_.encode(source.ids, source.lengths), source.lengths));
  });
  made.states = joined_runs(runs, info().source_width);
  module_.check_finite("encode", made.states);
  return made;
}

TeacherForced TorchscriptModel::teacher_force(Sentences sources, Sentences targets,
                                              const TeacherForcingOptions& options) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  KNNSEQ_ASSERT(sources.size() == targets.size(), "sources and targets must be equally many");
  resolve_key(info(), options.key, path_);
  check_source(sources, info());
  check_target(targets, info());
  std::vector<TokenId> prefix = {info().decoder_start};
  prefix.insert(prefix.end(), info().forced_tokens.begin(), info().forced_tokens.end());
  const auto skipped = std::ssize(info().forced_tokens);
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> log_probs;
  std::vector<at::Tensor> sentence_keys;
  for_each_padded_run(sources, targets, [&](Sentences run_sources, Sentences run_targets) {
    const PaddedTokens source = pad_sentences(run_sources, info().pad);
    const PaddedTokens inputs = pad_shifted(run_targets, prefix, info().pad);
    const at::Tensor states = module_.encode(source.ids, source.lengths);
    const auto made = module_.teacher_force(states, source.lengths, inputs.ids, inputs.lengths,
                                            options.log_probs);
    keys.push_back(unpad(made.first, inputs.lengths, skipped));
    if (options.log_probs) log_probs.push_back(unpad(made.second, inputs.lengths, skipped));
    if (options.sentence_keys) sentence_keys.push_back(means(states, source.lengths));
  });
  TeacherForced made;
  made.keys = joined_runs(keys, info().width);
  module_.check_finite("teacher_force", made.keys);
  if (options.log_probs) {
    made.log_probs = joined_runs(log_probs, info().vocab_size);
    module_.check_log_probs("teacher_force", made.log_probs);
  }
  if (options.sentence_keys) {
    made.sentence_keys = joined_runs(sentence_keys, info().source_width);
    module_.check_finite("encode", made.sentence_keys);
  }
  return made;
}

std::unique_ptr<DecoderState> TorchscriptModel::start(const EncodedSource& source,
                                                      std::int64_t beams, KeySpec key) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  KNNSEQ_ASSERT(beams > 0, "a state needs at least one row a sentence");
  resolve_key(info(), key, path_);
  auto state = std::make_unique<TorchscriptState>();
  state->lengths = at::tensor(source.lengths, at::kLong);
  KNNSEQ_ASSERT(state->lengths.sum().item<std::int64_t>() == source.states.size(0),
                "states and lengths of the encoded source differ");
  state->states = pad_rows(source.states, state->lengths);
  state->beams = beams;
  state->repeat_for_rows();
  return state;
}

StepOutput TorchscriptModel::step(DecoderState& any_state, std::span<const TokenId> tokens) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  TorchscriptState& state = state_of<TorchscriptState>(any_state);
  KNNSEQ_ASSERT(std::ssize(tokens) == state.rows() && state.rows() > 0,
                "a step takes one token a row");
  KNNSEQ_ASSERT(state.position < info().target_positions, "the model has no more positions");
  const at::Tensor ids = at::empty({state.rows()}, at::kLong);
  std::ranges::copy(tokens, ids.mutable_data_ptr<std::int64_t>());
  TorchscriptStep made = module_.step(ids, state.row_states, state.row_lengths, state.cache);
  module_.check_finite("step", made.queries);
  module_.check_log_probs("step", made.log_probs);
  state.cache = std::move(made.cache);
  ++state.position;
  return {made.queries, made.log_probs};
}

void TorchscriptModel::reorder(DecoderState& any_state, std::span<const std::int64_t> rows) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  TorchscriptState& state = state_of<TorchscriptState>(any_state);
  const RowGroups groups = group_rows(rows, state.rows(), state.beams);
  const at::Tensor row_numbers = at::tensor(at::IntArrayRef(rows.data(), rows.size()), at::kLong);
  for (at::Tensor& tensor : state.cache) tensor = tensor.index_select(0, row_numbers);
  const bool same_sentences = std::ssize(groups.sentences) == state.lengths.numel() &&
                              std::ranges::is_sorted(groups.sentences);
  if (same_sentences && groups.beams == state.beams) return;
  const at::Tensor sentences = at::tensor(groups.sentences, at::kLong);
  state.states = state.states.index_select(0, sentences);
  state.lengths = state.lengths.index_select(0, sentences);
  state.beams = groups.beams;
  state.repeat_for_rows();
}

}  // namespace knnseq::model
