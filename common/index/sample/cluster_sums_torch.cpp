// ClusterSums by tensors of any device.
#include <algorithm>
#include <functional>

#include "core/error.hpp"
#include "index/sample/cluster_sums.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t rows_together = 1 << 16;  // whose fp64 copies take memory

/// Calls `body` for consecutive ranges of [0, rows).
void for_each_range(std::int64_t rows,
                    const std::function<void(std::int64_t, std::int64_t)>& body) {
  for (std::int64_t first = 0; first < rows; first += rows_together) {
    body(first, std::min(rows_together, rows - first));
  }
}

}  // namespace

void ClusterSums::add(const at::Tensor& x, const at::Tensor& assignment) {
  KNNSEQ_ASSERT(x.dim() == 2 && x.size(1) == dim_ && assignment.size(0) == x.size(0),
                "a cluster for each row");
  for_each_range(x.size(0), [&](std::int64_t first, std::int64_t rows) {
    const at::Tensor clusters = assignment.narrow(0, first, rows).to(at::kLong);
    sums_.index_add_(0, clusters, fixed_point_.round(x.narrow(0, first, rows)));
    counts_.index_add_(0, clusters, at::ones_like(clusters));
  });
}

double ClusterSums::explained_torch(const at::Tensor& centroids) const {
  double result = 0;
  for_each_range(clusters(), [&](std::int64_t first, std::int64_t rows) {
    const at::Tensor values = centroids.narrow(0, first, rows).to(at::kDouble);
    const at::Tensor sums = fixed_point_.value(sums_.narrow(0, first, rows));
    const at::Tensor counts = counts_.narrow(0, first, rows).to(at::kDouble);
    const at::Tensor of_cluster = 2 * (values * sums).sum(1) - counts * values.square().sum(1);
    result += of_cluster.sum().item<double>();
  });
  return result;
}

at::Tensor ClusterSums::means_torch(const at::Tensor& centroids) const {
  at::Tensor result = centroids.clone(at::MemoryFormat::Contiguous);
  for_each_range(clusters(), [&](std::int64_t first, std::int64_t rows) {
    const at::Tensor sums = fixed_point_.value(sums_.narrow(0, first, rows));
    const at::Tensor counts = counts_.narrow(0, first, rows).unsqueeze(1);
    at::Tensor part = result.narrow(0, first, rows);
    part.copy_(at::where(counts > 0, (sums / counts.to(at::kDouble)).to(at::kFloat), part));
  });
  return result;
}

}  // namespace knnseq::index
