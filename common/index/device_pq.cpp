#include "index/device_pq.hpp"

#include <algorithm>

#include "core/error.hpp"

namespace knnseq::index {

at::Tensor device_pq_codes(const at::Tensor& x, const at::Tensor& centroids) {
  return device_pq_codes_by_products(x, centroids);
}

at::Tensor device_pq_codes_by_products(const at::Tensor& x, const at::Tensor& centroids) {
  constexpr std::int64_t tile_rows = 1024;
  const std::int64_t m = centroids.size(0);
  const std::int64_t dsub = centroids.size(2);
  KNNSEQ_ASSERT(x.dim() == 2 && x.size(1) == m * dsub && centroids.size(1) <= 256,
                "shapes of vectors and centroids differ");
  const at::Tensor norms = centroids.square().sum(-1).unsqueeze(1);  // [m, 1, count]
  const at::Tensor columns = centroids.transpose(1, 2);              // [m, dsub, count]
  at::Tensor codes = at::empty({x.size(0), m}, x.options().dtype(at::kByte));
  for (std::int64_t first = 0; first < x.size(0); first += tile_rows) {
    const std::int64_t rows = std::min(tile_rows, x.size(0) - first);
    const at::Tensor parts = x.narrow(0, first, rows).view({rows, m, dsub}).transpose(0, 1);
    const at::Tensor scores = at::baddbmm(norms, parts, columns, /*beta=*/1, /*alpha=*/-2);
    codes.narrow(0, first, rows).copy_(std::get<1>(at::min(scores, 2)).t());
  }
  return codes;
}

at::Tensor device_pq_decode(const at::Tensor& codes, const at::Tensor& centroids) {
  const at::Tensor clusters = device_pq_clusters(codes, centroids.size(1));
  return at::index_select(centroids.flatten(0, 1), 0, clusters.flatten())
      .view({codes.size(0), codes.size(1) * centroids.size(2)});
}

at::Tensor device_pq_clusters(const at::Tensor& codes, std::int64_t count) {
  const at::Tensor first = at::arange(codes.size(1), codes.options().dtype(at::kLong)) * count;
  return codes.to(at::kLong) + first;
}

}  // namespace knnseq::index
