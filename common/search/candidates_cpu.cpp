#include <algorithm>
#include <span>

#include "core/error.hpp"
#include "core/smallest.hpp"
#include "core/views.hpp"
#include "search/candidates.hpp"
#include "search/candidates_kernel.hpp"

namespace knnseq::search {

namespace {

const CandidatesKernel& best_kernel() {
  static const CandidatesKernel best = core::kernels_of_this_cpu([]<core::InstructionSet set>() {
                                         return candidates_kernel<set>();
                                       }).front();
  return best;
}

/// Of one sentence; scores: one for each row.
std::vector<Candidate> best_candidates(core::MatrixView<const float> log_probs,
                                       std::span<const float> scores, std::size_t count) {
  const CandidatesKernel& kernel = best_kernel();
  // Nothing at −∞ comes before the first token of the first hypothesis at −∞.
  core::Smallest<Candidate> best(count, {minus_infinity, 0, 0});
  for (std::int64_t beam = 0; beam < log_probs.rows; ++beam) {
    const float score = scores[beam];
    const std::span<const float> row = log_probs.row(beam);
    // All that was kept has a smaller (beam, token), so only a greater score is better.
    const auto next = [&](std::int64_t begin) {
      return kernel.next_above(row.data(), begin, std::ssize(row), score, best.limit().score);
    };
    for (auto begin = next(0); begin < std::ssize(row); begin = next(begin + candidates_together)) {
      const auto end = std::min(begin + candidates_together, std::ssize(row));
      for (auto i = begin; i < end; ++i) {
        best.offer(
            {score + row[i], static_cast<std::int32_t>(beam), static_cast<core::TokenId>(i)});
      }
    }
  }
  return best.take_sorted();
}

}  // namespace

std::vector<std::vector<Continuation>> best_continuations_cpu(const at::Tensor& log_probs,
                                                              const std::vector<float>& scores,
                                                              std::int64_t beams,
                                                              std::int64_t count) {
  const std::int64_t rows = log_probs.size(0);
  const std::int64_t columns = log_probs.size(1);
  KNNSEQ_ASSERT(
      std::ssize(scores) == rows && rows % beams == 0 && count > 0 && log_probs.is_contiguous(),
      "log-probs [rows, V] with a score each, equally many rows for each sentence");
  std::vector<std::vector<Continuation>> best;
  for (std::int64_t first = 0; first < rows; first += beams) {
    const core::MatrixView<const float> of_sentence{
        log_probs.const_data_ptr<float>() + first * columns, beams, columns};
    const auto own = std::span(scores).subspan(first, beams);
    best.emplace_back();
    for (const Candidate& candidate : best_candidates(of_sentence, own, count)) {
      const auto token = static_cast<std::size_t>(candidate.token);
      best.back().push_back({candidate, of_sentence.row(candidate.beam)[token]});
    }
  }
  return best;
}

}  // namespace knnseq::search
