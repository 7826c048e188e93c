#include "index/quantize/device_distances.hpp"

namespace knnseq::index {

at::Tensor device_distances(const at::Tensor& rows, const at::Tensor& centroids,
                            const at::Tensor& lists, Metric metric) {
  const at::Tensor chosen =
      at::index_select(centroids, 0, lists.flatten()).view({rows.size(0), lists.size(1), -1});
  const at::Tensor vectors = rows.unsqueeze(1).to(at::kDouble);
  if (is_inner_product(metric)) return (vectors * chosen).sum(-1).neg_().to(at::kFloat);
  return (vectors - chosen).square_().sum(-1).to(at::kFloat);
}

}  // namespace knnseq::index
