#include "search/candidates.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace knnseq::search {

namespace {

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

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

/// Keeps the best `count` of what it is offered. Offers come in ascending (beam, token), so an
/// equal score never displaces.
class Best {
 public:
  explicit Best(std::size_t count) : count_(count) { heap_.reserve(count); }

  /// Scores up to this are of no use.
  float threshold() const { return heap_.size() < count_ ? minus_infinity : heap_.front().score; }

  void offer(const Candidate& candidate) {
    if (!(candidate.score > threshold())) return;
    if (heap_.size() == count_) {
      std::pop_heap(heap_.begin(), heap_.end());  // the worst is in front
      heap_.pop_back();
    }
    heap_.push_back(candidate);
    std::push_heap(heap_.begin(), heap_.end());
  }

  std::vector<Candidate> sorted() {
    std::sort_heap(heap_.begin(), heap_.end());
    return std::move(heap_);
  }

 private:
  std::size_t count_;
  std::vector<Candidate> heap_;
};

}  // namespace

std::vector<Candidate> best_candidates(core::MatrixView<const float> log_probs,
                                       std::span<const float> scores, std::size_t count) {
  constexpr std::size_t block = 64;
  Best best(count);
  for (std::int64_t beam = 0; beam < log_probs.rows; ++beam) {
    const float score = scores[static_cast<std::size_t>(beam)];
    const std::span<const float> row = log_probs.row(beam);
    for (std::size_t begin = 0; begin < row.size(); begin += block) {
      const auto values = row.subspan(begin, std::min(block, row.size() - begin));
      // Adding is monotonic, so where the greatest is of no use none is.
      if (!(score + greatest(values) > best.threshold())) continue;
      for (std::size_t i = 0; i < values.size(); ++i) {
        best.offer({score + values[i], static_cast<std::int32_t>(beam),
                    static_cast<core::TokenId>(begin + i)});
      }
    }
  }
  return best.sorted();
}

}  // namespace knnseq::search
