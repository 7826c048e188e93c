#include "index/device_distances.hpp"

namespace knnseq::index {

at::Tensor device_distances(const at::Tensor& rows, const at::Tensor& centroids,
                            const at::Tensor& lists, Metric metric) {
  const at::Tensor chosen =
      at::index_select(centroids, 0, lists.flatten()).view({rows.size(0), lists.size(1), -1});
  const at::Tensor vectors = rows.unsqueeze(1).to(at::kDouble);
  const at::Tensor terms =
      is_inner_product(metric) ? -(vectors * chosen) : at::square(vectors - chosen);
  return terms.sum(-1).to(at::kFloat);
}

}  // namespace knnseq::index
