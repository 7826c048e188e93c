// The native Transformer on a GPU against the code for CPUs.
#include <algorithm>
#include <map>

#include <catch2/catch.hpp>

#include "support/family_models.hpp"
#include "support/figure.hpp"
#include "unit/model/compare.hpp"

namespace knnseq::model {

namespace {

std::unique_ptr<TranslationModel> load(const std::filesystem::path& folder, const char* dtype,
                                       const std::vector<TokenId>& forced) {
  return load_model(folder, {dtype, forced, at::Device(at::kCUDA, 0)});
}

/// Sentences and what the CPU makes of them.
struct Expected {
  testing::Reference reference;
  std::vector<std::vector<TokenId>> sources, targets;
  std::vector<TokenId> forced;
  TeacherForced made;

  explicit Expected(const std::filesystem::path& folder)
      : reference(folder / "expected.safetensors"),
        sources(reference.sentences("source")),
        targets(reference.sentences("target")) {
    const test::FamilyModel cpu(folder);
    forced = cpu.model->info().forced_tokens;
    made = cpu.model->teacher_force(sources, targets, {KeyKind::ffn_in, true, true});
  }
};

}  // namespace

TEST_CASE("keys, sentence keys and log-probs of every family") {
  std::map<std::string, double> greatest;
  for (const auto& folder : test::family_folders()) {
    const Expected expected(folder);
    const auto check = [&](const char* dtype, double most) {
      INFO(folder.filename().string() << " in " << dtype);
      const auto model = load(folder, dtype, expected.forced);
      const TeacherForced made =
          model->teacher_force(expected.sources, expected.targets, {KeyKind::ffn_in, true, true});
      REQUIRE(made.keys.is_cuda());
      const auto error = [](const at::Tensor& own, const at::Tensor& exact) {
        return testing::relative_error(own.cpu(), exact);
      };
      const double of_keys = error(made.keys, expected.made.keys);
      greatest[dtype] = std::max(greatest[dtype], of_keys);
      CHECK(of_keys < most);
      CHECK(error(made.sentence_keys, expected.made.sentence_keys) < most);
      CHECK(error(made.log_probs, expected.made.log_probs) < most);
    };
    check("fp32", 1e-5);
    check("fp16", 1e-2);
    check("bf16", 1e-2);
  }
  for (const auto& [dtype, error] : greatest) {
    test::print_figure("keys in " + dtype + ", relative error", error);
  }
}

TEST_CASE("greedy translations of the demo model are the CPU's") {
  const testing::Reference reference;
  auto sources = reference.sentences("source");
  sources.resize(50);
  const auto cpu = testing::load_demo_model();
  const auto gpu = load(testing::demo_folder, "fp32", {});
  CHECK(testing::greedy(*gpu, sources, 60) == testing::greedy(*cpu, sources, 60));
}

TEST_CASE("the same batch gives the same bytes on a GPU") {
  const testing::Reference reference;
  const auto sources = reference.sentences("source");
  const auto targets = reference.sentences("target");
  const auto force = [&] {
    return load(testing::demo_folder, "bf16", {})->teacher_force(sources, targets, {}).keys.cpu();
  };
  CHECK(force().equal(force()));
}

}  // namespace knnseq::model
