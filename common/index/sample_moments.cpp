#include "index/sample_moments.hpp"

#include <vector>

#include "index/cluster_sums.hpp"
#include "index/cross_product.hpp"
#include "index/nearest_rows.hpp"
#include "index/sample_scale.hpp"

namespace knnseq::index {

at::Tensor column_means(const Team& team, const SampleBlocks& sample) {
  ClusterSums sums(team, scale_of(team, sample).fixed_point, 1, sample.dim);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat).contiguous();
    if (team.uses_tensors()) {
      sums.add(block, at::zeros({block.size(0)}, block.options().dtype(at::kInt)));
      continue;
    }
    RowPointers rows;
    append_rows(block, rows);
    sums.add(rows, std::vector<std::int32_t>(rows.size(), 0));
  }
  sums.reduce();
  const auto options = at::TensorOptions(team.device).dtype(at::kFloat);
  return sums.means(at::zeros({1, sample.dim}, options)).squeeze(0);
}

at::Tensor second_moments(const Team& team, const SampleBlocks& sample, const at::Tensor& means) {
  const double largest = scale_of(team, sample).largest + at::abs(means).max().item<float>();
  CrossProduct product(team, sample, largest, largest);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat) - means;
    product.add(block, block);
  }
  const at::Tensor total = product.total(sample.dim, sample.dim);
  return (total + total.t()) / static_cast<double>(2 * sample.total_rows);
}

}  // namespace knnseq::index
