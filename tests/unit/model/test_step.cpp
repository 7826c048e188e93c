// Decoding step by step: against teacher forcing, and what reordering rows means; by the code for
// CPUs and by that for GPUs.
#include <catch2/catch.hpp>

#include "demo_model.hpp"

namespace knnseq::model {

namespace {

using testing::relative_error;
using SentenceList = std::vector<std::vector<TokenId>>;

SentenceList first(const SentenceList& sentences, std::size_t count) {
  return {sentences.begin(), sentences.begin() + static_cast<std::ptrdiff_t>(count)};
}

/// Inputs of step t for one row a sentence; those that have ended repeat EOS.
std::vector<TokenId> inputs_at(const SentenceList& targets, std::size_t t, const ModelInfo& info) {
  std::vector<TokenId> inputs;
  for (const auto& target : targets) {
    if (t == 0) {
      inputs.push_back(info.decoder_start);
    } else {
      inputs.push_back(t - 1 < target.size() ? target[t - 1] : info.eos);
    }
  }
  return inputs;
}

std::size_t longest(const SentenceList& sentences) {
  std::size_t most = 0;
  for (const auto& sentence : sentences) most = std::max(most, sentence.size());
  return most;
}

}  // namespace

TEST_CASE("cached steps give the keys of teacher forcing", "[model]") {
  const testing::Reference reference;
  const SentenceList sources = first(reference.sentences("source"), 40);
  const SentenceList targets = first(reference.sentences("target"), 40);
  const auto model =
      testing::load_demo_model(GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch));
  for (const KeyKind kind : {KeyKind::ffn_in, KeyKind::ffn_out}) {
    const TeacherForced forced = model->teacher_force(sources, targets, {kind, false, true});
    const auto state = model->start(model->encode(sources), 1, kind);
    at::Tensor keys = at::zeros_like(forced.keys);
    at::Tensor log_probs = at::zeros_like(forced.log_probs);
    for (std::size_t t = 0; t < longest(targets); ++t) {
      const StepOutput out = model->step(*state, inputs_at(targets, t, model->info()));
      std::int64_t start = 0;
      for (std::size_t i = 0; i < targets.size(); ++i) {
        const auto row = static_cast<std::int64_t>(i);
        if (t < targets[i].size()) {
          keys[start + static_cast<std::int64_t>(t)].copy_(out.queries[row]);
          log_probs[start + static_cast<std::int64_t>(t)].copy_(out.log_probs[row]);
        }
        start += static_cast<std::int64_t>(targets[i].size());
      }
    }
    INFO(core::name_of(kind));
    CHECK(relative_error(keys, forced.keys) < 1e-5);
    CHECK((log_probs - forced.log_probs).abs().max().item<double>() < 1e-4);
  }
}

TEST_CASE("reordered rows go on from their own past", "[model]") {
  const testing::Reference reference;
  const SentenceList sources = first(reference.sentences("source"), 3);
  const SentenceList targets = first(reference.sentences("target"), 3);
  const auto model =
      testing::load_demo_model(GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch));
  const ModelInfo& info = model->info();

  // Row by row: the sentence and the tokens fed so far, next to what the model was told.
  struct Row {
    std::size_t sentence;
    std::vector<TokenId> fed;
  };
  std::vector<Row> rows = {{0, {}}, {1, {}}, {2, {}}};
  const auto state = model->start(model->encode(sources), 1, KeyKind::ffn_in);
  const auto feed = [&](TokenId salt) {
    std::vector<TokenId> inputs;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool start = rows[i].fed.empty();
      inputs.push_back(start ? info.decoder_start : salt + static_cast<TokenId>(i));
      rows[i].fed.push_back(inputs.back());
    }
    const StepOutput out = model->step(*state, inputs);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<TokenId> target(rows[i].fed.begin() + 1, rows[i].fed.end());
      target.push_back(info.eos);
      const at::Tensor keys =
          model->teacher_force({&sources[rows[i].sentence], 1}, {&target, 1}, {}).keys;
      INFO("row " << i << " after " << rows[i].fed.size() << " tokens");
      CHECK(relative_error(out.queries[static_cast<std::int64_t>(i)], keys[-1]) < 1e-5);
    }
  };
  const auto reorder = [&](const std::vector<std::int64_t>& order) {
    std::vector<Row> moved;
    for (const std::int64_t row : order) moved.push_back(rows[row]);
    rows = std::move(moved);
    model->reorder(*state, order);
  };
  feed(0);
  reorder({0, 0, 1, 1, 2, 2});  // one hypothesis a sentence becomes two
  feed(300);
  feed(400);
  reorder({1, 0, 3, 3, 4, 5});  // swapped, duplicated, as before
  feed(500);
  reorder({4, 5, 1, 1});  // sentence 1 leaves, the others change places
  feed(600);
  reorder({2});  // one hypothesis of one sentence
  feed(700);
}

TEST_CASE("states refuse what makes no sense", "[model]") {
  const testing::Reference reference;
  const SentenceList sources = first(reference.sentences("source"), 2);
  const auto model =
      testing::load_demo_model(GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch));
  const auto state = model->start(model->encode(sources), 2, KeyKind::ffn_in);
  const TokenId start = model->info().decoder_start;
  CHECK_THROWS_AS(model->step(*state, std::vector<TokenId>(3, start)), std::logic_error);
  model->step(*state, std::vector<TokenId>(4, start));
  const std::vector<std::vector<std::int64_t>> wrong = {
      {0, 4}, {-1, 0}, {0, 2, 1, 3}, {0, 1, 2}, {0, 1, 2, 3, 1}};
  for (const auto& rows : wrong) CHECK_THROWS_AS(model->reorder(*state, rows), std::logic_error);
}

}  // namespace knnseq::model
