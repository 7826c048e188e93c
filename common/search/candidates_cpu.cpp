#include <algorithm>
#include <span>

#include "core/error.hpp"
#include "core/smallest.hpp"
#include "core/views.hpp"
#include "search/candidates.hpp"

namespace knnseq::search {

namespace {

/// Greatest of the values; NaN counts as −∞.
float greatest(std::span<const float> values) {
  constexpr std::size_t lanes = 16;
  float lane[lanes];
  std::fill_n(lane, lanes, minus_infinity);
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t l = 0; l < lanes; ++l) {
      lane[l] = values[i + l] > lane[l] ? values[i + l] : lane[l];
    }
  }
  for (; i < values.size(); ++i) lane[0] = values[i] > lane[0] ? values[i] : lane[0];
  return *std::max_element(lane, lane + lanes);
}

/// Of one sentence; scores: one for each row.
std::vector<Candidate> best_candidates(core::MatrixView<const float> log_probs,
                                       std::span<const float> scores, std::size_t count) {
  constexpr std::size_t block = 64;
  // Nothing at −∞ comes before the first token of the first hypothesis at −∞.
  core::Smallest<Candidate> best(count, {minus_infinity, 0, 0});
  for (std::int64_t beam = 0; beam < log_probs.rows; ++beam) {
    const float score = scores[beam];
    const std::span<const float> row = log_probs.row(beam);
    for (std::size_t begin = 0; begin < row.size(); begin += block) {
      const auto values = row.subspan(begin, std::min(block, row.size() - begin));
      // All that was kept has a smaller (beam, token), so only a greater score is better. Adding is
      // monotonic: where the greatest value does not suffice none does.
      if (!(score + greatest(values) > best.limit().score)) continue;
      for (std::size_t i = 0; i < values.size(); ++i) {
        best.offer({score + values[i], static_cast<std::int32_t>(beam),
                    static_cast<core::TokenId>(begin + i)});
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
