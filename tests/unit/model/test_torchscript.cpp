// TorchScript archives: against transformers in float64, and the interface's promises.
#include <catch2/catch.hpp>

#include "compare.hpp"
#include "support/torchscript_models.hpp"

namespace knnseq::model {

namespace {

using testing::check_close;
using testing::relative_error;
using SentenceList = std::vector<std::vector<TokenId>>;

void check_reference(const test::TorchscriptFixture& fixture) {
  INFO(fixture.folder);
  const testing::Reference reference(fixture.folder / "expected.safetensors");
  const SentenceList sources = reference.sentences("source");
  const SentenceList targets = reference.sentences("target");
  TranslationModel& model = *fixture.model;
  const at::Tensor exact = reference.tensor("encoder_output");
  check_close("encoder output", model.encode(sources).states, exact);
  const TeacherForced made = model.teacher_force(sources, targets, {fixture.key, true, true});
  const bool in = fixture.key.kind == KeyKind::ffn_in;
  const std::int64_t layer = fixture.key.resolved(model.info().decoder_layers).layer;
  check_close("keys", made.keys, reference.tensor(in ? "ffn_in" : "decoder_layers")[layer]);
  testing::compare_best(made.log_probs, reference.tensor("top_ids"),
                        reference.tensor("top_log_probs"));
  std::int64_t row = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const auto length = std::ssize(sources[i]);
    check_close("sentence key", made.sentence_keys[static_cast<std::int64_t>(i)],
                exact.narrow(0, row, length).to(at::kDouble).mean(0));
    row += length;
  }
}

/// Feeds forced tokens and targets step by step; rows change places all the time.
void check_steps(const test::TorchscriptFixture& fixture) {
  INFO(fixture.folder);
  const testing::Reference reference(fixture.folder / "expected.safetensors");
  TranslationModel& model = *fixture.model;
  const ModelInfo& info = model.info();
  SentenceList sources = reference.sentences("source");
  SentenceList targets = reference.sentences("target");
  sources.resize(6);
  targets.resize(6);
  struct Row {
    std::size_t sentence;
    std::vector<TokenId> fed;
  };
  std::vector<Row> rows;
  for (std::size_t i = 0; i < sources.size(); ++i) rows.push_back({i, {}});
  const auto state = model.start(model.encode(sources), 1, fixture.key);
  const auto feed = [&] {
    std::vector<TokenId> inputs;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      std::vector<TokenId> given = {info.decoder_start};
      given.insert(given.end(), info.forced_tokens.begin(), info.forced_tokens.end());
      const std::size_t t = rows[i].fed.size();
      inputs.push_back(t < given.size() ? given[t] : static_cast<TokenId>(10 + 7 * i + t));
      rows[i].fed.push_back(inputs.back());
    }
    const StepOutput out = model.step(*state, inputs);
    const std::size_t given = 1 + info.forced_tokens.size();
    for (std::size_t i = 0; i < rows.size() && rows[i].fed.size() >= given; ++i) {
      std::vector<TokenId> target(rows[i].fed.begin() + static_cast<std::ptrdiff_t>(given),
                                  rows[i].fed.end());
      target.push_back(info.eos);
      const TeacherForced forced = model.teacher_force({&sources[rows[i].sentence], 1},
                                                       {&target, 1}, {fixture.key, false, true});
      const auto row = static_cast<std::int64_t>(i);
      check_close("query", out.queries[row], forced.keys[-1]);
      CHECK((out.log_probs[row] - forced.log_probs[-1]).abs().max().item<double>() < 1e-4);
    }
  };
  const auto reorder = [&](const std::vector<std::int64_t>& order) {
    std::vector<Row> moved;
    for (const std::int64_t row : order) moved.push_back(rows[row]);
    rows = std::move(moved);
    model.reorder(*state, order);
  };
  feed();
  reorder({0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5});
  feed();
  feed();
  reorder({1, 0, 3, 3, 4, 5, 7, 6, 8, 8, 11, 10});
  feed();
  reorder({10, 11, 4, 4, 0, 1});  // sentences leave and change places
  feed();
  reorder({3});
  feed();
  reorder({});
  CHECK(state->rows() == 0);
}

}  // namespace

TEST_CASE("a TorchScript model's vectors and log-probs are transformers'", "[model]") {
  check_reference(test::mbart());
  check_reference(test::t5());
}

TEST_CASE("a TorchScript model's steps agree with teacher forcing, through reorderings",
          "[model]") {
  check_steps(test::mbart());
  check_steps(test::t5());
}

TEST_CASE("a TorchScript model decodes greedily as transformers does", "[model]") {
  const auto fixture = test::t5();
  const testing::Reference reference(fixture.folder / "expected.safetensors");
  const auto made = testing::greedy(*fixture.model, reference.sentences("greedy_source"), 20);
  CHECK(made == reference.sentences("greedy"));
}

TEST_CASE("a TorchScript model gives the same bytes for the same batch, whatever came before",
          "[model]") {
  const auto fixture = test::mbart();
  const testing::Reference reference(fixture.folder / "expected.safetensors");
  const SentenceList sources = reference.sentences("source");
  const SentenceList targets = reference.sentences("target");
  const TeacherForcingOptions options{fixture.key, true, true};
  const TeacherForced first = fixture.model->teacher_force(sources, targets, options);
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const TeacherForced alone =
        fixture.model->teacher_force({&sources[i], 1}, {&targets[i], 1}, options);
    CHECK(relative_error(alone.sentence_keys[0],
                         first.sentence_keys[static_cast<std::int64_t>(i)]) < 1e-5);
  }
  const TeacherForced again = fixture.model->teacher_force(sources, targets, options);
  CHECK(again.keys.equal(first.keys));
  CHECK(again.log_probs.equal(first.log_probs));
  CHECK(again.sentence_keys.equal(first.sentence_keys));
  const TeacherForced keys_only = fixture.model->teacher_force(sources, targets, {fixture.key});
  CHECK(keys_only.keys.equal(first.keys));
  CHECK_FALSE(keys_only.log_probs.defined());
  CHECK(fixture.model->encode({}).states.sizes() == at::IntArrayRef{0, 16});
}

TEST_CASE("a TorchScript archive describes itself", "[model]") {
  const auto fixture = test::mbart();
  const ModelInfo info = read_model_info(fixture.folder / "model.pt", {"fp32", {4}});
  CHECK(info.family == "torchscript");
  CHECK(info.decoder_layers == 2);
  CHECK(info.target_tokens() == 39);
  CHECK(info.forced_tokens == std::vector<TokenId>{4});
  CHECK(info.bad_tokens == std::vector<TokenId>{6});
  const std::vector<std::filesystem::path> files = {fixture.folder / "model.pt"};
  CHECK(model_files(files[0]) == files);
}

}  // namespace knnseq::model
