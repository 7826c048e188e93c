#include "metrics/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.hpp"
#include "metrics/numpy_random.hpp"

namespace knnseq::metrics {

namespace {

double mean(std::span<const double> values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

Resamples::Resamples(std::int64_t number, std::int64_t sentences, std::uint64_t seed)
    : number_(number), sentences_(sentences) {
  KNNSEQ_ASSERT(number >= 0 && sentences >= 0 && sentences < (std::int64_t{1} << 32),
                "sizes of resamples out of range");
  NumpyRandom random(seed);
  drawn_.resize(static_cast<std::size_t>(number) * sentences_);
  for (auto& sentence : drawn_) sentence = random.below(static_cast<std::uint32_t>(sentences));
}

std::span<const std::uint32_t> Resamples::operator[](std::int64_t i) const {
  return std::span(drawn_).subspan(static_cast<std::size_t>(i) * sentences_, sentences_);
}

Interval interval_95(std::vector<double> scores) {
  KNNSEQ_ASSERT(!scores.empty(), "no resamples");
  std::sort(scores.begin(), scores.end());
  const std::size_t cut = scores.size() / 40;
  return {mean(scores), 0.5 * (scores[scores.size() - cut - 1] - scores[cut])};
}

double paired_p_value(std::span<const double> baseline, std::span<const double> system,
                      double difference) {
  KNNSEQ_ASSERT(baseline.size() == system.size() && !system.empty(), "resamples do not pair up");
  std::vector<double> differences;
  for (std::size_t i = 0; i < system.size(); ++i) {
    differences.push_back(std::abs(system[i] - baseline[i]));
  }
  const double centre = mean(differences);
  const auto beyond = std::count_if(differences.begin(), differences.end(),
                                    [&](double d) { return d - centre > difference; });
  return static_cast<double>(beyond + 1) / static_cast<double>(system.size() + 1);
}

}  // namespace knnseq::metrics
