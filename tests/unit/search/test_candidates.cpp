// The selection of the best continuations against a full sort.
#include <algorithm>
#include <cmath>
#include <tuple>

#include <ATen/ATen.h>
#include <catch2/catch.hpp>

#include "core/random.hpp"
#include "core/views.hpp"
#include "search/candidates.hpp"
#include "search/candidates_kernel.hpp"

namespace knnseq::search {

namespace {

std::vector<Candidate> sorted_all(core::MatrixView<const float> log_probs,
                                  const std::vector<float>& scores, std::size_t count) {
  std::vector<Candidate> all;
  for (std::int64_t beam = 0; beam < log_probs.rows; ++beam) {
    for (std::int64_t token = 0; token < log_probs.columns; ++token) {
      const float score = scores[beam] + log_probs.row(beam)[token];
      if (score > -INFINITY) {
        all.push_back({score, static_cast<std::int32_t>(beam), static_cast<std::int32_t>(token)});
      }
    }
  }
  std::ranges::sort(all, [](const Candidate& a, const Candidate& b) {
    return std::tuple(-a.score, a.beam, a.token) < std::tuple(-b.score, b.beam, b.token);
  });
  if (all.size() > count) all.resize(count);
  return all;
}

std::vector<float> twice(std::vector<float> values) {
  const auto copy = values;
  values.insert(values.end(), copy.begin(), copy.end());
  return values;
}

/// Of one or more sentences.
void check(const auto& select, const at::Tensor& log_probs, const std::vector<float>& scores,
           std::int64_t beams, const std::vector<std::vector<Candidate>>& expected,
           std::size_t count) {
  const auto made = select(log_probs, scores, beams, static_cast<std::int64_t>(count));
  REQUIRE(made.size() == expected.size());
  for (std::size_t sentence = 0; sentence < made.size(); ++sentence) {
    REQUIRE(made[sentence].size() == expected[sentence].size());
    for (std::size_t i = 0; i < made[sentence].size(); ++i) {
      const Candidate& candidate = made[sentence][i].candidate;
      CHECK(candidate.score == expected[sentence][i].score);
      CHECK(candidate.beam == expected[sentence][i].beam);
      CHECK(candidate.token == expected[sentence][i].token);
      CHECK(made[sentence][i].log_prob ==
            log_probs[static_cast<std::int64_t>(sentence) * beams + candidate.beam][candidate.token]
                .item<float>());
    }
  }
}

}  // namespace

TEST_CASE("the best candidates are those of a full sort", "[search]") {
  core::Random random(3);
  for (int round = 0; round < 300; ++round) {
    const auto beams = static_cast<std::int64_t>(1 + random.below(5));
    const auto columns = static_cast<std::int64_t>(1 + random.below(300));
    // Few distinct values: many ties; −∞ and NaN now and then.
    std::vector<float> values;
    for (std::int64_t i = 0; i < beams * columns; ++i) {
      const auto kind = random.below(20);
      const auto rounded = static_cast<float>(-0.5 * static_cast<double>(random.below(8)));
      const auto fine = static_cast<float>(std::log(1.0 - random.uniform()));
      values.push_back(kind == 0 ? -INFINITY : kind == 1 ? NAN : round % 2 == 0 ? rounded : fine);
    }
    std::vector<float> scores;
    for (std::int64_t beam = 0; beam < beams; ++beam) {
      scores.push_back(random.below(6) == 0 ? -INFINITY
                                            : -static_cast<float>(random.below(3)) * 0.5f);
    }
    const core::MatrixView<const float> view{values.data(), beams, columns};
    const std::size_t count = 1 + random.below(12);
    const auto expected = sorted_all(view, scores, count);
    const at::Tensor tensor = at::tensor(values).view({beams, columns});
    INFO("round " << round);
    for (const auto select : {best_continuations_cpu, best_continuations_torch}) {
      check(select, tensor, scores, beams, {expected}, count);
      check(select, at::cat({tensor, tensor}), twice(scores), beams, {expected, expected}, count);
    }
  }
}

TEST_CASE("candidates kernels find the groups that hold a value above the limit", "[search]") {
  const auto kernels = core::kernels_of_this_cpu(
      []<core::InstructionSet set>() { return candidates_kernel<set>(); });
  core::Random random(9);
  for (const CandidatesKernel& kernel : kernels) {
    INFO(core::to_string(kernel.set));
    for (const std::int64_t count : {1, 63, 64, 65, 128, 200, 1000}) {
      std::vector<float> values(count, -5.0f);
      for (int above = 0; above < 3; ++above) values[random.below(count)] = 1.0f;
      values[random.below(count)] = NAN;
      values[random.below(count)] = -INFINITY;
      std::vector<std::int64_t> expected, found;
      for (std::int64_t begin = 0; begin < count; begin += candidates_together) {
        const auto end = std::min(begin + candidates_together, count);
        const auto is_above = [](float value) { return value - 2.0f > -2.0f; };
        if (std::any_of(values.begin() + begin, values.begin() + end, is_above)) {
          expected.push_back(begin);
        }
      }
      const auto next = [&](std::int64_t begin) {
        return kernel.next_above(values.data(), begin, count, -2.0f, -2.0f);
      };
      for (auto at = next(0); at < count; at = next(at + candidates_together)) found.push_back(at);
      CHECK(found == expected);
    }
  }
}

}  // namespace knnseq::search
