#include "metrics/recall.hpp"

#include <algorithm>

namespace knnseq::metrics {

RecallCount& RecallCount::operator+=(const RecallCount& other) {
  hits += other.hits;
  of += other.of;
  return *this;
}

double RecallCount::share() const {
  return of == 0 ? 0 : static_cast<double>(hits) / static_cast<double>(of);
}

RecallCount count_recall(std::span<const std::int64_t> found, std::span<const std::int64_t> nearest,
                         std::span<const float> distances, std::int64_t k) {
  const auto missing = std::find(nearest.begin(), nearest.end(), -1);
  const std::int64_t of = std::min<std::int64_t>(k, missing - nearest.begin());
  if (of == 0) return {};
  const auto kth = static_cast<std::size_t>(of - 1);
  const auto tied = std::upper_bound(distances.begin(), distances.end(), distances[kth]);
  const auto near = nearest.first(
      static_cast<std::size_t>(std::min(tied - distances.begin(), missing - nearest.begin())));
  const auto first = found.first(std::min(found.size(), static_cast<std::size_t>(k)));
  const auto hits = std::count_if(first.begin(), first.end(), [&](std::int64_t entry) {
    return std::find(near.begin(), near.end(), entry) != near.end();
  });
  return {hits, of};
}

}  // namespace knnseq::metrics
