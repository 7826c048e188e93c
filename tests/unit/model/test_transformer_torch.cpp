// The code for GPUs, on CPU tensors, against the code for CPUs: the same keys, means, log-probs and
// steps, whatever happens to the rows in between.
#include <catch2/catch.hpp>

#include "compare.hpp"
#include "core/error.hpp"
#include "model/base/dtype.hpp"
#include "support/family_models.hpp"

namespace knnseq::model {

using testing::check_close;

TEST_CASE("keys, sentence keys and log-probs as the code for CPUs gives them", "[model]") {
  for (const auto& folder : test::family_folders()) {
    INFO(folder.filename().string());
    const test::FamilyModel cpu(folder);
    const test::FamilyModel gpu(folder, gpu::ComputePath::torch);
    const testing::Reference reference(folder / "expected.safetensors");
    const auto sources = reference.sentences("source");
    const auto targets = reference.sentences("target");
    const TeacherForcingOptions options{KeyKind::ffn_in, true, true};
    const TeacherForced expected = cpu.model->teacher_force(sources, targets, options);
    const TeacherForced made = gpu.model->teacher_force(sources, targets, options);
    check_close("keys", made.keys, expected.keys);
    check_close("sentence keys", made.sentence_keys, expected.sentence_keys);
    check_close("log-probs", made.log_probs, expected.log_probs);
  }
}

TEST_CASE("changes of rows add up until the next step", "[model]") {
  const testing::Reference reference;
  auto sources = reference.sentences("source");
  sources.resize(4);
  const auto cpu = testing::load_demo_model(gpu::ComputePath::cpu);
  const auto gpu = testing::load_demo_model(gpu::ComputePath::torch);
  const auto expected = cpu->start(cpu->encode(sources), 2, KeyKind::ffn_in);
  const auto made = gpu->start(gpu->encode(sources), 2, KeyKind::ffn_in);
  const auto step = [&](const std::vector<TokenId>& tokens) {
    const StepOutput one = cpu->step(*expected, tokens);
    const StepOutput other = gpu->step(*made, tokens);
    check_close("queries", other.queries, one.queries);
    check_close("log-probs", other.log_probs, one.log_probs);
  };
  const auto reorder = [&](const std::vector<std::int64_t>& rows) {
    cpu->reorder(*expected, rows);
    gpu->reorder(*made, rows);
    CHECK(made->rows() == std::ssize(rows));
  };
  reorder({2, 3, 0, 1, 4, 5, 6, 7});  // before the first step
  step(std::vector<TokenId>(8, cpu->info().decoder_start));
  reorder({1, 0, 2, 2, 5, 4, 7, 6});
  reorder({6, 7, 1, 0, 2, 3});  // sentence 2 leaves, others change places
  step({300, 301, 302, 303, 304, 305});
  reorder({0, 1, 2, 3, 4, 5});  // nothing
  step({400, 401, 402, 403, 404, 405});
  reorder({5, 1});
  reorder({1});
  step({500});
}

TEST_CASE("bf16 keys are near those of fp32", "[model]") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto targets = reference.sentences("target");
  const auto keys = [&](at::ScalarType dtype) {
    const auto model = make_transformer(
        testing::read_demo_parts({dtype, at::kCPU, LinearKernel::fused}), gpu::ComputePath::torch);
    return model->teacher_force(sources, targets, {}).keys;
  };
  const double error = testing::relative_error(keys(at::kBFloat16), keys(at::kFloat));
  INFO("relative error " << error);
  CHECK(error < 2e-2);
  CHECK(error > 1e-4);
}

TEST_CASE("what a GPU computes in", "[model]") {
  const at::Device gpu(at::kCUDA, 0);
  CHECK(parse_dtype("auto", gpu) == at::kBFloat16);
  CHECK(parse_dtype("fp16", gpu) == at::kHalf);
  CHECK(parse_dtype("fp32", gpu) == at::kFloat);
  CHECK(parse_dtype("auto") == at::kFloat);
  using Catch::Contains;
  CHECK_THROWS_WITH(parse_dtype("fp8", gpu), Contains("dtype: 'fp8' is not known; bf16, fp16"));
  ModelOptions options;
  options.device = gpu;
  const auto archive = testing::source_folder / "tests/data/torchscript/mbart/model.pt";
  CHECK_THROWS_WITH(read_model_info(archive, options), Contains("set device: cpu"));
  CHECK_THROWS_AS(load_model(archive, options), core::InputError);
}

}  // namespace knnseq::model
