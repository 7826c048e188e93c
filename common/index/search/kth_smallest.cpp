#include "index/search/kth_smallest.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace knnseq::index {

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr std::size_t buckets = 1024;

struct Extent {
  float low = infinity;    ///< of all numbers
  float high = -infinity;  ///< of those below infinity

  void include(float value) {
    low = value < low ? value : low;
    high = value > high && value < infinity ? value : high;
  }
};

Extent extent_of(std::span<const float> values) {
  std::array<Extent, 8> lanes;
  std::size_t i = 0;
  for (; i + lanes.size() <= values.size(); i += lanes.size()) {
    for (std::size_t lane = 0; lane < lanes.size(); ++lane) lanes[lane].include(values[i + lane]);
  }
  for (; i < values.size(); ++i) lanes[0].include(values[i]);
  for (const Extent& lane : lanes) {
    lanes[0].low = std::min(lanes[0].low, lane.low);
    lanes[0].high = std::max(lanes[0].high, lane.high);
  }
  return lanes[0];
}

}  // namespace

float kth_smallest_at_most(std::span<const float> values, std::int64_t k) {
  const auto [low, high] = extent_of(values);
  const float width = high - low;
  float per_value = static_cast<float>(buckets - 1) / width;
  if (!(width < infinity && per_value < infinity)) per_value = 0;  // one bucket for all
  std::array<std::int32_t, buckets> counts{};
  for (const float value : values) {
    if (!(value <= high)) continue;  // infinite or not a number
    const float position = per_value > 0 ? (value - low) * per_value : 0;
    ++counts[static_cast<std::int32_t>(position)];
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

float kth_smallest_at_most(std::span<const float> scores, std::span<const float> minima,
                           std::int64_t k) {
  const bool enough = 2 * std::ssize(minima) >= 3 * k;
  return kth_smallest_at_most(enough ? minima : scores, k);
}

}  // namespace knnseq::index
