// Every family against its own framework in float64, by the code for CPUs and by that for GPUs.
#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "compare.hpp"
#include "support/family_models.hpp"

namespace knnseq::model {

namespace {

using testing::check_close;

/// Where greedy decoding goes another way than expected: not at all, at a tie, or wrongly.
enum class Agreement { same, tie, different };

/// Compares up to the first difference; `gaps` belong to the expected tokens.
Agreement compare(const std::vector<TokenId>& made, const std::vector<TokenId>& expected,
                  const float* gaps) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (i < made.size() && made[i] == expected[i]) continue;
    return gaps[i] < 1e-4f ? Agreement::tie : Agreement::different;
  }
  return made.size() == expected.size() ? Agreement::same : Agreement::different;
}

}  // namespace

TEST_CASE("every family's hidden vectors and log-probs", "[model]") {
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  for (const auto& folder : test::family_folders()) {
    DYNAMIC_SECTION(folder.filename().string()
                    << (path == gpu::ComputePath::torch ? ", as on GPUs" : "")) {
      const test::FamilyModel family(folder, path);
      const testing::Reference reference(folder / "expected.safetensors");
      const auto sources = reference.sentences("source");
      const auto targets = reference.sentences("target");
      check_close("encoder output", family.model->encode(sources).states,
                  reference.tensor("encoder_output"));
      const at::Tensor ffn_in = reference.tensor("ffn_in");
      const at::Tensor ffn_out = reference.tensor("decoder_layers");
      REQUIRE(ffn_in.size(0) == family.model->info().decoder_layers);
      for (std::int64_t layer = 0; layer < ffn_in.size(0); ++layer) {
        const auto keys = [&](KeyKind kind) {
          return family.model->teacher_force(sources, targets, {{kind, layer}}).keys;
        };
        check_close(fmt::format("ffn_in {}", layer), keys(KeyKind::ffn_in), ffn_in[layer]);
        check_close(fmt::format("ffn_out {}", layer), keys(KeyKind::ffn_out), ffn_out[layer]);
      }
      TeacherForcingOptions options;
      options.log_probs = true;
      testing::compare_best(family.model->teacher_force(sources, targets, options).log_probs,
                            reference.tensor("top_ids"), reference.tensor("top_log_probs"));
    }
  }
}

TEST_CASE("every family's greedy decoding token by token", "[model]") {
  const auto path = GENERATE(gpu::ComputePath::cpu, gpu::ComputePath::torch);
  for (const auto& folder : test::family_folders()) {
    DYNAMIC_SECTION(folder.filename().string()
                    << (path == gpu::ComputePath::torch ? ", as on GPUs" : "")) {
      const test::FamilyModel family(folder, path);
      const testing::Reference reference(folder / "expected.safetensors");
      const auto expected = reference.sentences("greedy");
      const at::Tensor all_gaps = reference.tensor("greedy_gaps");
      const auto made = testing::greedy(*family.model, reference.sentences("greedy_source"), 20);
      const auto* gaps = all_gaps.const_data_ptr<float>();
      std::size_t ties = 0;
      REQUIRE(made.size() == expected.size());
      for (std::size_t i = 0; i < made.size(); ++i) {
        const Agreement agreement = compare(made[i], expected[i], gaps);
        INFO("sentence " << i);
        CHECK(agreement != Agreement::different);
        ties += agreement == Agreement::tie ? 1 : 0;
        gaps += expected[i].size();
      }
      fmt::print("{}: {} of {} greedy translations differ, after a tie\n",
                 folder.filename().string(), ties, made.size());
      CHECK(ties * 100 < made.size());
    }
  }
}

}  // namespace knnseq::model
