#include "index/core/kth_smallest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace knnseq::index {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();

struct Extent {
  float low = infinity;    ///< of all numbers
  float high = -infinity;  ///< of those below infinity
};

Extent extent_of(std::span<const float> values) {
  constexpr std::size_t lanes = 16;
  std::array<float, lanes> low, high;
  low.fill(infinity);
  high.fill(-infinity);
  const auto include = [&](std::size_t lane, float value) {
    low[lane] = value < low[lane] ? value : low[lane];
    const float finite = value < infinity ? value : -infinity;
    high[lane] = finite > high[lane] ? finite : high[lane];
  };
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) include(lane, values[i + lane]);
  }
  for (; i < values.size(); ++i) include(0, values[i]);
  return {std::ranges::min(low), std::ranges::max(high)};
}

/// kth_smallest_at_most() with so many parts of the numbers' range.
template <std::size_t buckets>
float kth_smallest_by(std::span<const float> values, std::int64_t k) {
  const auto [low, high] = extent_of(values);
  const float width = high - low;
  float per_value = static_cast<float>(buckets - 1) / width;
  if (!(width < infinity && per_value < infinity)) per_value = 0;  // one bucket for all
  std::array<std::int32_t, buckets + 1> counts{};  // the last of what is infinite or not a number
  std::array<std::int32_t, 64> places;  // of some values at a time: by vector instructions
  for (std::size_t first = 0; first < values.size(); first += places.size()) {
    const auto some = values.subspan(first, std::min(places.size(), values.size() - first));
    for (std::size_t i = 0; i < some.size(); ++i) {
      const float place = per_value > 0 ? (some[i] - low) * per_value : 0;
      places[i] = static_cast<std::int32_t>(some[i] <= high ? place : static_cast<float>(buckets));
    }
    for (std::size_t i = 0; i < some.size(); ++i) ++counts[places[i]];
  }
  std::int64_t found = 0;
  for (std::size_t b = 0; b < buckets; ++b) {
    found += counts[b];
    if (found < k) continue;
    if (per_value == 0) return high;
    // a little above the bucket's end, since choosing the bucket rounded
    const double end = double{low} + (static_cast<double>(b) + 1.001) / double{per_value};
    return std::min(high, std::nextafter(static_cast<float>(end), infinity));
  }
  return infinity;
}

}  // namespace

float kth_smallest_at_most(std::span<const float> values, std::int64_t k) {
  constexpr std::size_t few = 256;
  return values.size() < few ? kth_smallest_by<128>(values, k) : kth_smallest_by<1024>(values, k);
}

float kth_smallest_at_most(std::span<const float> scores, std::span<const float> minima,
                           std::int64_t k) {
  const bool enough = std::ssize(minima) >= 4 * k;
  return kth_smallest_at_most(enough ? minima : scores, k);
}

}  // namespace knnseq::index
