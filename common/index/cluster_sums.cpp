#include "index/cluster_sums.hpp"

#include <algorithm>

#include "core/types.hpp"
#include "index/parallel.hpp"

namespace knnseq::index {

ClusterSums::ClusterSums(const FixedPoint& fixed_point, std::int64_t clusters, std::int64_t dim)
    : fixed_point_(fixed_point),
      dim_(dim),
      sums_(static_cast<std::size_t>(clusters * dim), 0),
      counts_(static_cast<std::size_t>(clusters), 0) {}

void ClusterSums::add(core::MatrixView<const float> x, std::span<const std::int32_t> assignment) {
  KNNSEQ_ASSERT(std::cmp_equal(assignment.size(), x.rows) && x.columns == dim_, "shapes differ");
  for (const std::int32_t cluster : assignment) ++counts_[static_cast<std::size_t>(cluster)];
  constexpr std::int64_t slice = 16;  // columns of one thread: each sum has one writer
  const FixedPoint fixed_point = fixed_point_;
  parallel_for(core::ceil_div(dim_, slice), [&](std::int64_t part) {
    const std::int64_t begin = part * slice;
    const std::int64_t count = std::min(slice, dim_ - begin);
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const float* from = x.data + i * dim_ + begin;
      std::int64_t* to = sums_.data() + assignment[static_cast<std::size_t>(i)] * dim_ + begin;
      for (std::int64_t j = 0; j < count; ++j) {
        to[j] += fixed_point.round(static_cast<double>(from[j]));
      }
    }
  });
}

void ClusterSums::add_coded(core::MatrixView<const float> x,
                            core::MatrixView<const std::uint8_t> codes) {
  const std::int64_t m = codes.columns;
  KNNSEQ_ASSERT(codes.rows == x.rows && x.columns == m * dim_, "shapes differ");
  const FixedPoint fixed_point = fixed_point_;
  parallel_for(m, [&](std::int64_t sub_vector) {
    std::int64_t* sums = sums_.data() + sub_vector * 256 * dim_;
    std::int64_t* counts = counts_.data() + sub_vector * 256;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const float* from = x.data + i * x.columns + sub_vector * dim_;
      const std::int64_t code = codes.data[i * m + sub_vector];
      ++counts[code];
      for (std::int64_t j = 0; j < dim_; ++j) {
        sums[code * dim_ + j] += fixed_point.round(static_cast<double>(from[j]));
      }
    }
  });
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
