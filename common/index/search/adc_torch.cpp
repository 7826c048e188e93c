#include "index/search/adc_torch.hpp"

#include <vector>

#include "core/error.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t centroids = 256;
constexpr std::int64_t sums = 4;

}  // namespace

AdcTorch::AdcTorch(const at::Tensor& pq_centroids, Metric metric, at::Device device)
    : m(pq_centroids.size(0)),
      dsub(pq_centroids.size(2)),
      inner_product(is_inner_product(metric)),
      columns(pq_centroids.permute({2, 0, 1}).unsqueeze(3).contiguous().to(device)) {
  KNNSEQ_ASSERT(pq_centroids.size(1) == centroids, "codes have 8 bits a sub-vector");
  std::vector<std::int64_t> by_sum;
  std::vector<std::int64_t> starts;
  for (std::int64_t sum = 0; sum < sums; ++sum) {
    starts.push_back(std::ssize(by_sum));
    for (std::int64_t s = sum; s < m; s += sums) by_sum.push_back(s);
  }
  order = at::tensor(by_sum, at::kLong).to(device);
  first_rows = (order * centroids).to(at::kInt);
  sum_starts = at::tensor(starts, at::kInt).to(device);
}

at::Tensor adc_tables(const AdcTorch& adc, const at::Tensor& vectors) {
  KNNSEQ_ASSERT(vectors.dim() == 3 && vectors.scalar_type() == at::kFloat &&
                    vectors.size(2) == adc.m * adc.dsub,
                "vectors are fp32 [sets, columns, m·dsub]");
  const std::int64_t sets = vectors.size(0);
  const std::int64_t count = vectors.size(1);
  const at::Tensor components = vectors.reshape({sets, count, adc.m, adc.dsub})
                                    .permute({3, 0, 2, 1})
                                    .contiguous()
                                    .unsqueeze(3);  // [dsub, sets, m, 1, columns]
  at::Tensor tables = at::zeros({sets, adc.m, centroids, count}, vectors.options());
  for (std::int64_t t = 0; t < adc.dsub; ++t) {
    if (adc.inner_product) {
      tables.sub_(components[t] * adc.columns[t]);
    } else {
      at::Tensor difference = components[t] - adc.columns[t];
      tables.add_(difference.mul_(difference));
    }
  }
  return tables;
}

at::Tensor adc_distances(const AdcTorch& adc, const at::Tensor& tables, const at::Tensor& codes) {
  const std::int64_t sets = codes.size(0);
  const std::int64_t entries = codes.size(1);
  const std::int64_t count = tables.size(3);
  KNNSEQ_ASSERT(tables.is_contiguous() && tables.size(0) == sets && codes.size(2) == adc.m,
                "a table and codes for each set");
  const auto integers = codes.options().dtype(at::kInt);
  at::Tensor rows = codes.to(at::kInt);
  rows.add_(adc.first_rows);
  rows.add_((at::arange(sets, integers) * (adc.m * centroids)).view({sets, 1, 1}));
  const at::Tensor starts =
      (at::arange(sets * entries, integers) * adc.m).unsqueeze(1) + adc.sum_starts;
  const at::Tensor added =
      std::get<0>(at::embedding_bag(tables.view({sets * adc.m * centroids, count}), rows.flatten(),
                                    starts.flatten()))
          .view({sets, entries, sums, count});
  return (added.select(2, 0) + added.select(2, 1)) + (added.select(2, 2) + added.select(2, 3));
}

}  // namespace knnseq::index
