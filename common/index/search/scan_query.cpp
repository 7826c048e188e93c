#include "index/search/scan_query.hpp"

#include <algorithm>
#include <cmath>

namespace knnseq::index {

double ScanQuery::error(double others) const {
  constexpr double rounding = 1.0 / (1 << 23);  // twice that of one fp32 operation
  return static_cast<double>(additions + 16) * rounding * (magnitude + others);
}

ScanQuery make_scan_query(const ScanKernel& kernel, const ScanCentroids& centroids,
                          const float* padded, std::uint8_t* tables) {
  const std::int64_t m = centroids.m();
  std::vector<float> products(m * 256);
  std::vector<float> minima(m);
  std::vector<float> widths(m);
  ScanTableJob job;
  job.query = padded;
  job.query_stride = centroids.padded_dsub();
  job.columns = centroids.columns();
  job.order = centroids.order().data();
  job.m = m;
  job.dsub = centroids.dsub();
  job.levels = static_cast<float>(std::min<std::int64_t>(255, 65535 / m));
  job.halvings = m <= 64 ? 2 : m <= 128 ? 1 : 0;
  job.products = products.data();
  job.minima = minima.data();
  job.widths = widths.data();
  job.table = tables;
  job.near_table = kernel.near_tables ? tables + m * 256 : nullptr;
  kernel.make_table(job);

  ScanQuery query{.padded = padded,
                  .table = job.table,
                  .near_table = job.near_table,
                  .weights = job.weights,
                  .additions = m * centroids.padded_dsub()};
  const float width = std::max(job.widest, least_scan_width);
  query.scale = job.widest > least_scan_width
                    ? job.widest / (job.levels * static_cast<float>(1 << job.halvings))
                    : 0;
  // Products of absolute values, by Cauchy and Schwarz; and all steps of the table, which are as
  // large as their sum may get.
  query.magnitude = static_cast<double>(m) * static_cast<double>(width);
  for (std::int64_t s = 0; s < m; ++s) {
    query.floor += static_cast<double>(minima[s]);
    double norm = 0;
    for (std::int64_t t = 0; t < centroids.dsub(); ++t) {
      const double value = padded[s * centroids.padded_dsub() + t];
      norm += value * value;
    }
    query.magnitude += std::sqrt(norm) * static_cast<double>(centroids.radius(s));
  }
  return query;
}

}  // namespace knnseq::index
