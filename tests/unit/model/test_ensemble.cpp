// Ensembles: what is combined, what is kept apart, which models fit together.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "demo_model.hpp"
#include "model/ensemble_model.hpp"
#include "support/fake_model.hpp"

namespace knnseq::model {

namespace {

using SentenceList = std::vector<std::vector<TokenId>>;

const SentenceList sources = {{3, 4, 0}, {5, 0}, {5, 6, 7, 0}};
const SentenceList targets = {{1, 2, 0}, {2, 2, 0}, {9, 1, 0}};

std::vector<EnsembleMember> fakes(const std::vector<test::FakeModelOptions>& options) {
  std::vector<EnsembleMember> members;
  for (const test::FakeModelOptions& one : options) {
    members.push_back(
        {"model-" + std::to_string(members.size()), std::make_unique<test::FakeModel>(one)});
  }
  return members;
}

/// log(mean(p)), in double.
at::Tensor log_mean(const std::vector<at::Tensor>& log_probs) {
  at::Tensor sum = at::zeros(log_probs[0].sizes(), at::kDouble);
  for (const at::Tensor& one : log_probs) sum += one.to(at::kDouble).exp();
  return (sum / static_cast<double>(log_probs.size())).log();
}

}  // namespace

TEST_CASE("an ensemble's probabilities are the mean, its keys the first's or all", "[model]") {
  const std::vector<test::FakeModelOptions> options = {
      {.width = 6, .seed = 1},
      {.width = 4, .source_vocab_size = 20, .max_positions = 30, .seed = 2},
      {.width = 9, .seed = 3}};
  std::vector<at::Tensor> keys;
  std::vector<at::Tensor> log_probs;
  for (const test::FakeModelOptions& one : options) {
    const auto made =
        test::FakeModel(one).teacher_force(sources, targets, {KeyKind::ffn_in, true, true});
    keys.push_back(made.keys);
    log_probs.push_back(made.log_probs);
  }
  for (const EnsembleQueries queries : {EnsembleQueries::first, EnsembleQueries::all}) {
    const bool first = queries == EnsembleQueries::first;
    const auto model = make_ensemble(fakes(options), queries);
    CHECK(model->info().width == (first ? 6 : 19));
    CHECK(model->info().source_width == 6);
    CHECK(model->info().target_positions == 30);
    CHECK(model->info().source_vocab_size == 20);
    const at::Tensor expected = first ? keys[0] : at::cat(keys, 1);
    const auto made = model->teacher_force(sources, targets, {KeyKind::ffn_in, true, true});
    CHECK(made.keys.equal(expected));
    CHECK(made.sentence_keys.size(1) == 6);
    CHECK(testing::largest_difference(made.log_probs, log_mean(log_probs)) < 2e-6);
    CHECK(model->teacher_force(sources, targets, {}).keys.equal(expected));

    const auto state = model->start(model->encode(sources), 2, KeyKind::ffn_in);
    StepOutput out = model->step(*state, std::vector<TokenId>(6, model->info().decoder_start));
    model->reorder(*state, std::vector<std::int64_t>{4, 1});
    CHECK(state->rows() == 2);
    out = model->step(*state, std::vector<TokenId>{9, 1});
    CHECK(out.queries[0].equal(expected[7]));
    CHECK(out.queries[1].equal(expected[1]));
    CHECK(testing::largest_difference(out.log_probs[0], made.log_probs[7]) < 2e-6);
    CHECK_THROWS_AS(model->encode(SentenceList{std::vector<TokenId>(31, 3)}), core::InputError);
    CHECK_THROWS_AS(model->encode(SentenceList{{20, 0}}), core::InputError);
    CHECK_THROWS_AS(
        model->teacher_force({&sources[0], 1}, SentenceList{std::vector<TokenId>(31, 3)}, {}),
        core::InputError);
  }
}

TEST_CASE("a model twice is the model once, and one model is no ensemble", "[model]") {
  const testing::Reference reference;
  SentenceList real_sources = reference.sentences("source");
  SentenceList real_targets = reference.sentences("target");
  real_sources.resize(12);
  real_targets.resize(12);
  const TeacherForcingOptions options{KeyKind::ffn_out, true, true};
  const auto single = testing::load_demo_model();
  const TeacherForced expected = single->teacher_force(real_sources, real_targets, options);
  std::vector<EnsembleMember> members;
  for (const char* name : {"a", "b"}) members.push_back({name, testing::load_demo_model()});
  const auto twice = make_ensemble(std::move(members), EnsembleQueries::first);
  const TeacherForced made = twice->teacher_force(real_sources, real_targets, options);
  CHECK(made.keys.equal(expected.keys));
  CHECK(made.sentence_keys.equal(expected.sentence_keys));
  CHECK(testing::largest_difference(made.log_probs, expected.log_probs) < 1e-5);

  std::vector<EnsembleMember> one = fakes({{.seed = 3}});
  const TranslationModel* alone = one[0].model.get();
  CHECK(make_ensemble(std::move(one), EnsembleQueries::all).get() == alone);
}

TEST_CASE("models of different vocabularies make no ensemble", "[model]") {
  using Catch::Contains;
  const auto refuse = [](const test::FakeModelOptions& other, const std::string& expected) {
    CHECK_THROWS_WITH(make_ensemble(fakes({{}, {}, other}), EnsembleQueries::first),
                      Contains(expected) && Contains("model-0") && Contains("model-2"));
  };
  refuse({.vocab_size = 25}, "vocab_size is 24 in model-0 and 25 in model-2");
  refuse({.forced_tokens = {5}}, "forced_tokens is [] in model-0 and [5] in model-2");
}

}  // namespace knnseq::model
