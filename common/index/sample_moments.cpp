#include "index/sample_moments.hpp"

#include <vector>

#include "index/cluster_sums.hpp"
#include "index/cross_product.hpp"
#include "index/nearest_rows.hpp"
#include "index/sample_scale.hpp"

namespace knnseq::index {

at::Tensor column_means(comm::Communicator& comm, const SampleBlocks& sample) {
  ClusterSums sums(scale_of(comm, sample).fixed_point, 1, sample.dim);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat).contiguous();
    RowPointers rows;
    append_rows(block, rows);
    sums.add(rows, std::vector<std::int32_t>(rows.size(), 0));
  }
  sums.reduce(comm);
  at::Tensor means = at::empty({sample.dim}, at::kFloat);
  sums.write_means({means.mutable_data_ptr<float>(), 1, sample.dim});
  return means;
}

at::Tensor second_moments(comm::Communicator& comm, const SampleBlocks& sample,
                          const at::Tensor& means) {
  const double largest = scale_of(comm, sample).largest + at::abs(means).max().item<float>();
  CrossProduct product(sample, largest, largest);
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat) - means;
    product.add(block, block);
  }
  const at::Tensor total = product.total(comm, sample.dim, sample.dim);
  return (total + total.t()) / static_cast<double>(2 * sample.total_rows);
}

}  // namespace knnseq::index
