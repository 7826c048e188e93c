#include "retrieval/mixing/likelihood_grid.hpp"

#include <algorithm>
#include <cmath>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "retrieval/mixing/interpolation.hpp"

namespace knnseq::retrieval {

namespace {

constexpr double unit = 0x1p-30;
constexpr double least = -1000;

std::int64_t fixed(double log_prob) { return std::llround(std::max(log_prob, least) / unit); }

}  // namespace

LikelihoodGrid::LikelihoodGrid(SettingsGrid grid) : grid_(std::move(grid)), sums_(grid_.size()) {
  KNNSEQ_ASSERT(grid_.size() > 0 && std::is_sorted(grid_.k.begin(), grid_.k.end()),
                "an empty grid, or k not ascending");
}

std::size_t LikelihoodGrid::place(GridPoint point) const {
  const std::size_t row = point.k * grid_.temperature.size() + point.temperature;
  return row * grid_.lambda.size() + point.lambda;
}

void LikelihoodGrid::add_to_all_lambdas(GridPoint first, double p_mt, double p_knn) {
  for (first.lambda = 0; first.lambda < grid_.lambda.size(); ++first.lambda) {
    const double lambda = grid_.lambda[first.lambda];
    sums_[place(first)] += fixed(std::log(interpolated(p_mt, p_knn, lambda)));
  }
}

void LikelihoodGrid::add(core::TokenId token, float log_prob, const index::TopKRow& neighbours,
                         std::span<const float> log_weights) {
  const auto [distances, ids] = neighbours;
  KNNSEQ_ASSERT(std::ssize(distances) == grid_.k.back() && ids.size() == distances.size(),
                "as many neighbours as the largest k");
  ++tokens_;
  base_sum_ += fixed(log_prob);
  const double p_mt = std::exp(double{log_prob});
  std::size_t usable = 0;  // a prefix, since distances ascend
  while (usable < ids.size() && is_usable(distances[usable], ids[usable], grid_.threshold)) {
    ++usable;
  }
  const bool has_neighbours = usable > 0 && !(grid_.threshold && -distances[0] <= *grid_.threshold);
  for (std::size_t t = 0; t < grid_.temperature.size(); ++t) {
    double all = 0, matching = 0;
    std::size_t i = 0;
    for (std::size_t k = 0; k < grid_.k.size(); ++k) {
      const auto end = std::min(static_cast<std::size_t>(grid_.k[k]), usable);
      for (; i < end; ++i) {
        // Of several weights the largest lies near 1 in the end, and most of them are 1.
        const double more = log_weights.empty() ? 0 : double{log_weights[i]};
        const double weight =
            std::exp((double{distances[0]} - distances[i]) / grid_.temperature[t] + more);
        all += weight;
        if (core::token_of(ids[i]) == token) matching += weight;
      }
      add_to_all_lambdas({k, t, 0}, p_mt, has_neighbours ? matching / all : p_mt);
    }
  }
}

void LikelihoodGrid::reduce(comm::Communicator& comm) {
  comm.all_reduce(std::span(sums_), comm::Reduction::sum);
  base_sum_ = comm.all_reduce(base_sum_, comm::Reduction::sum);
  tokens_ = comm.all_reduce(tokens_, comm::Reduction::sum);
}

double LikelihoodGrid::log_likelihood(GridPoint point) const {
  return static_cast<double>(sums_[place(point)]) * unit / static_cast<double>(tokens_);
}

double LikelihoodGrid::base_log_likelihood() const {
  return static_cast<double>(base_sum_) * unit / static_cast<double>(tokens_);
}

}  // namespace knnseq::retrieval
