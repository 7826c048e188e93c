#include "index/train/sample_moments.hpp"

#include <vector>

#include "index/quantize/nearest_centroids.hpp"
#include "index/sample/cluster_sums.hpp"
#include "index/sample/cross_product.hpp"
#include "index/sample/sample_scale.hpp"

namespace knnseq::index {

at::Tensor column_means(const TrainContext& context, const SampleBlocks& sample) {
  ClusterSums sums(context, scale_of(context, sample).fixed_point, 1, sample.dim);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat).contiguous();
    if (context.path == gpu::ComputePath::torch) {
      sums.add(block, at::zeros({block.size(0)}, block.options().dtype(at::kInt)));
      continue;
    }
    RowPointers rows;
    append_rows(block, rows);
    sums.add(rows, std::vector<std::int32_t>(rows.size(), 0));
  }
  sums.reduce();
  const auto options = at::TensorOptions(context.device).dtype(at::kFloat);
  return sums.means(at::zeros({1, sample.dim}, options)).squeeze(0);
}

at::Tensor second_moments(const TrainContext& context, const SampleBlocks& sample,
                          const at::Tensor& means) {
  const double largest = scale_of(context, sample).largest + at::abs(means).max().item<float>();
  CrossProduct product(context, sample, largest, largest);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat) - means;
    product.add(block, block);
  }
  const at::Tensor total = product.total(sample.dim, sample.dim);
  return (total + total.t()) / static_cast<double>(2 * sample.total_rows);
}

}  // namespace knnseq::index
