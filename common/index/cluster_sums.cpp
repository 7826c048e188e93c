#include "index/cluster_sums.hpp"

#include <algorithm>
#include <functional>

#include "core/types.hpp"
#include "index/parallel.hpp"
#include "index/simd_kernels.hpp"

namespace knnseq::index {

ClusterSums::ClusterSums(const FixedPoint& fixed_point, std::int64_t clusters, std::int64_t dim)
    : fixed_point_(fixed_point),
      dim_(dim),
      sums_(static_cast<std::size_t>(clusters * dim), 0),
      counts_(static_cast<std::size_t>(clusters), 0) {}

void ClusterSums::add(std::span<const float* const> rows,
                      std::span<const std::int32_t> assignment) {
  KNNSEQ_ASSERT(assignment.size() == rows.size(), "a cluster for each row");
  for (const std::int32_t cluster : assignment) ++counts_[static_cast<std::size_t>(cluster)];
  constexpr std::int64_t slice = 16;  // a thread has whole slices of columns: each sum one writer
  parallel_ranges(core::ceil_div(dim_, slice), [&](core::Range slices) {
    const std::int64_t begin = slices.begin * slice;
    const std::int64_t count = std::min(slices.end * slice, dim_) - begin;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      simd_kernels().sum(rows[i] + begin, count, fixed_point_.scale(),
                         sums_.data() + assignment[i] * dim_ + begin);
    }
  });
}

void ClusterSums::merge(std::span<const std::int64_t> sums, std::span<const std::int64_t> counts) {
  KNNSEQ_ASSERT(sums.size() == sums_.size() && counts.size() == counts_.size(), "shapes differ");
  std::transform(sums_.begin(), sums_.end(), sums.begin(), sums_.begin(), std::plus<>());
  std::transform(counts_.begin(), counts_.end(), counts.begin(), counts_.begin(), std::plus<>());
}

void ClusterSums::reduce(comm::Communicator& comm) {
  comm.all_reduce(std::span(sums_), comm::Reduction::sum);
  comm.all_reduce(std::span(counts_), comm::Reduction::sum);
}

double ClusterSums::explained(core::MatrixView<const float> centroids) const {
  double result = 0;  // Σ |x|² − |x − c|² = 2 c·Σx − n |c|²
  for (std::int64_t c = 0; c < centroids.rows; ++c) {
    double product = 0;
    double norm = 0;
    for (std::int64_t j = 0; j < dim_; ++j) {
      const double value = static_cast<double>(centroids.data[c * dim_ + j]);
      product += value * fixed_point_.value(sums_[static_cast<std::size_t>(c * dim_ + j)]);
      norm += value * value;
    }
    result += 2 * product - static_cast<double>(counts_[static_cast<std::size_t>(c)]) * norm;
  }
  return result;
}

void ClusterSums::write_means(core::MatrixView<float> centroids) const {
  for (std::int64_t c = 0; c < centroids.rows; ++c) {
    const std::int64_t count = counts_[static_cast<std::size_t>(c)];
    if (count == 0) continue;
    for (std::int64_t j = 0; j < dim_; ++j) {
      const double sum = fixed_point_.value(sums_[static_cast<std::size_t>(c * dim_ + j)]);
      centroids.data[c * dim_ + j] = static_cast<float>(sum / static_cast<double>(count));
    }
  }
}

}  // namespace knnseq::index
