#include "model/ensemble_model.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <ATen/ATen.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "model/base/check_sentences.hpp"

namespace knnseq::model {

namespace {

using NoAutograd = at::AutoDispatchBelowADInplaceOrView;

struct EnsembleState final : DecoderState {
  std::vector<std::unique_ptr<DecoderState>> states;  ///< one a model
  std::int64_t rows() const override { return states.front()->rows(); }
};

/// log of the mean of the probabilities.
at::Tensor combine(const std::vector<at::Tensor>& log_probs) {
  const double models = static_cast<double>(log_probs.size());
  return at::logsumexp(at::stack(log_probs), 0).sub_(std::log(models));
}

/// What must be the same in all models.
std::vector<std::pair<std::string, std::string>> shared_facts(const ModelInfo& info) {
  return {{"vocab_size", std::to_string(info.vocab_size)},
          {"decoder_start", std::to_string(info.decoder_start)},
          {"eos", std::to_string(info.eos)},
          {"pad", std::to_string(info.pad)},
          {"forced_tokens", fmt::format("{}", info.forced_tokens)}};
}

void check_same(const EnsembleMember& one, const EnsembleMember& other) {
  const auto facts = shared_facts(one.model->info());
  const auto others = shared_facts(other.model->info());
  for (std::size_t i = 0; i < facts.size(); ++i) {
    if (facts[i] == others[i]) continue;
    throw core::InputError(
        "ensemble", fmt::format("{} is {} in {} and {} in {}", facts[i].first, facts[i].second,
                                one.name, others[i].second, other.name));
  }
}

/// `info` is the first model's or that of an ensemble so far.
void add_model(ModelInfo& info, const ModelInfo& other, EnsembleQueries queries) {
  if (queries == EnsembleQueries::all) {
    info.width += other.width;
    info.decoder_layers = std::min(info.decoder_layers, other.decoder_layers);
  }
  info.source_vocab_size = std::min(info.source_vocab_size, other.source_vocab_size);
  info.source_positions = std::min(info.source_positions, other.source_positions);
  info.target_positions = std::min(info.target_positions, other.target_positions);
  std::vector<TokenId> bad;
  std::ranges::set_union(info.bad_tokens, other.bad_tokens, std::back_inserter(bad));
  info.bad_tokens = std::move(bad);
}

}  // namespace

EnsembleModel::EnsembleModel(std::vector<EnsembleMember> members, EnsembleQueries queries)
    : members_(std::move(members)), queries_(queries) {
  KNNSEQ_ASSERT(!members_.empty(), "an ensemble needs members");
  info_ = members_[0].model->info();
  info_.family = "ensemble";
  for (std::size_t i = 1; i < members_.size(); ++i) {
    check_same(members_[0], members_[i]);
    add_model(info_, members_[i].model->info(), queries_);
  }
}

KeySpec EnsembleModel::key_of(std::size_t i, KeySpec asked) const {
  if (i == 0 || queries_ == EnsembleQueries::all) return asked;
  return members_[i].model->info().only_key.value_or(KeySpec(asked.kind));
}

EncodedSource EnsembleModel::encode(Sentences sources) {
  check_source(sources, info());
  EncodedSource made = members_[0].model->encode(sources);
  for (std::size_t i = 1; i < members_.size(); ++i) {
    made.others.push_back(members_[i].model->encode(sources));
  }
  return made;
}

TeacherForced EnsembleModel::teacher_force(Sentences sources, Sentences targets,
                                           const TeacherForcingOptions& options) {
  const NoAutograd guard;
  check_source(sources, info());
  check_target(targets, info());
  TeacherForced made = members_[0].model->teacher_force(sources, targets, options);
  if (queries_ == EnsembleQueries::first && !options.log_probs) return made;
  std::vector<at::Tensor> keys = {made.keys};
  std::vector<at::Tensor> log_probs = {made.log_probs};
  for (std::size_t i = 1; i < members_.size(); ++i) {
    const TeacherForced other = members_[i].model->teacher_force(
        sources, targets, {key_of(i, options.key), false, options.log_probs});
    keys.push_back(other.keys);
    log_probs.push_back(other.log_probs);
  }
  if (queries_ == EnsembleQueries::all) made.keys = at::cat(keys, 1);
  if (options.log_probs) made.log_probs = combine(log_probs);
  return made;
}

std::unique_ptr<DecoderState> EnsembleModel::start(const EncodedSource& source, std::int64_t beams,
                                                   KeySpec key) {
  KNNSEQ_ASSERT(source.others.size() + 1 == members_.size(), "the source was encoded by another");
  auto state = std::make_unique<EnsembleState>();
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const EncodedSource& own = i == 0 ? source : source.others[i - 1];
    state->states.push_back(members_[i].model->start(own, beams, key_of(i, key)));
  }
  return state;
}

StepOutput EnsembleModel::step(DecoderState& any_state, std::span<const TokenId> tokens) {
  const NoAutograd guard;
  EnsembleState& state = state_of<EnsembleState>(any_state);
  std::vector<at::Tensor> queries;
  std::vector<at::Tensor> log_probs;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const StepOutput made = members_[i].model->step(*state.states[i], tokens);
    queries.push_back(made.queries);
    log_probs.push_back(made.log_probs);
  }
  const bool all = queries_ == EnsembleQueries::all;
  return {all ? at::cat(queries, 1) : queries[0], combine(log_probs)};
}

void EnsembleModel::reorder(DecoderState& any_state, std::span<const std::int64_t> rows) {
  EnsembleState& state = state_of<EnsembleState>(any_state);
  for (std::size_t i = 0; i < members_.size(); ++i)
    members_[i].model->reorder(*state.states[i], rows);
}

std::unique_ptr<TranslationModel> make_ensemble(std::vector<EnsembleMember> members,
                                                EnsembleQueries queries) {
  if (members.size() == 1) return std::move(members.front().model);
  return std::make_unique<EnsembleModel>(std::move(members), queries);
}

}  // namespace knnseq::model
