#include "index/sample/cluster_sums.hpp"

#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

std::span<std::int64_t> span_of(const at::Tensor& tensor) {
  return {tensor.mutable_data_ptr<std::int64_t>(), static_cast<std::size_t>(tensor.numel())};
}

}  // namespace

ClusterSums::ClusterSums(const TrainContext& context, const FixedPoint& fixed_point,
                         std::int64_t clusters, std::int64_t dim)
    : team_(context),
      fixed_point_(fixed_point),
      dim_(dim),
      sums_(at::zeros({clusters, dim}, at::TensorOptions(context.device).dtype(at::kLong))),
      counts_(at::zeros({clusters}, sums_.options())) {}

void ClusterSums::add(std::span<const float* const> rows,
                      std::span<const std::int32_t> assignment) {
  KNNSEQ_ASSERT(assignment.size() == rows.size(), "a cluster for each row");
  const auto counts = span_of(counts_);
  auto* const sums = sums_.mutable_data_ptr<std::int64_t>();
  for (const std::int32_t cluster : assignment) ++counts[cluster];
  constexpr std::int64_t slice = 16;  // a thread has whole slices of columns: each sum one writer
  parallel_ranges(core::ceil_div(dim_, slice), [&](core::Range slices) {
    const std::int64_t begin = slices.begin * slice;
    const std::int64_t count = std::min(slices.end * slice, dim_) - begin;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      simd_kernels().sum(rows[i] + begin, count, fixed_point_.scale(),
                         sums + assignment[i] * dim_ + begin);
    }
  });
}

void ClusterSums::merge(std::span<const std::int64_t> sums, std::span<const std::int64_t> counts) {
  const auto add_to = [](std::span<std::int64_t> to, std::span<const std::int64_t> from) {
    KNNSEQ_ASSERT(to.size() == from.size(), "shapes differ");
    std::transform(to.begin(), to.end(), from.begin(), to.begin(), std::plus<>());
  };
  add_to(span_of(sums_), sums);
  add_to(span_of(counts_), counts);
}

void ClusterSums::reduce() {
  team_.sum(sums_);
  team_.sum(counts_);
}

double ClusterSums::explained_sum_of_squares(const at::Tensor& centroids) const {
  if (team_.path == gpu::ComputePath::torch) return explained_torch(centroids);
  const at::Tensor dense = centroids.contiguous();
  const float* centroid = dense.const_data_ptr<float>();
  const auto* sum = sums_.const_data_ptr<std::int64_t>();
  double result = 0;  // Σ |x|² − |x − c|² = 2 c·Σx − n |c|²
  for (const std::int64_t count : span_of(counts_)) {
    double product = 0;
    double norm = 0;
    for (std::int64_t j = 0; j < dim_; ++j) {
      const double value = static_cast<double>(*centroid++);
      product += value * fixed_point_.value(*sum++);
      norm += value * value;
    }
    result += 2 * product - static_cast<double>(count) * norm;
  }
  return result;
}

at::Tensor ClusterSums::means(const at::Tensor& centroids) const {
  if (team_.path == gpu::ComputePath::torch) return means_torch(centroids);
  at::Tensor result = centroids.clone(at::MemoryFormat::Contiguous);
  float* mean = result.mutable_data_ptr<float>();
  const auto* sum = sums_.const_data_ptr<std::int64_t>();
  for (const std::int64_t count : span_of(counts_)) {
    if (count > 0) {
      for (std::int64_t j = 0; j < dim_; ++j) {
        mean[j] = static_cast<float>(fixed_point_.value(sum[j]) / static_cast<double>(count));
      }
    }
    mean += dim_;
    sum += dim_;
  }
  return result;
}

}  // namespace knnseq::index
