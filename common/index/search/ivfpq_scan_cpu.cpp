#include <algorithm>
#include <numeric>
#include <utility>

#include <ATen/Parallel.h>

#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "index/search/scan_group.hpp"

namespace knnseq::index {

namespace {

/// The most queries that go through the lists together: bounds the memory of their tables.
constexpr std::int64_t most_group_queries = 1024;

/// Halves the centroids [256, dsub] again and again where they are spread the most, until groups of
/// four are left. Returns the centroids' numbers [256] by group and place in it.
std::vector<std::uint8_t> number_by_nearness(const float* centroids, std::int64_t dsub) {
  std::vector<std::ptrdiff_t> order(256);
  std::iota(order.begin(), order.end(), 0);
  for (std::ptrdiff_t size = 256; size > 4; size /= 2) {
    for (auto part = order.begin(); part != order.end(); part += size) {
      const auto spread = [&](std::int64_t t) {
        double sum = 0;
        double squares = 0;
        std::for_each(part, part + size, [&](std::ptrdiff_t i) {
          const double x = centroids[i * dsub + t];
          sum += x;
          squares += x * x;
        });
        return squares - sum * sum / static_cast<double>(size);
      };
      std::int64_t widest = 0;
      for (std::int64_t t = 1; t < dsub; ++t) {
        if (spread(t) > spread(widest)) widest = t;
      }
      std::nth_element(part, part + size / 2, part + size, [&](std::ptrdiff_t a, std::ptrdiff_t b) {
        return centroids[a * dsub + widest] < centroids[b * dsub + widest];
      });
    }
  }
  std::vector<std::uint8_t> numbers(256);
  for (int place = 0; place < 256; ++place) {
    numbers[order[place]] = static_cast<std::uint8_t>(scan_code_of(place / 4, place % 4));
  }
  return numbers;
}

/// Of all sub-vectors [m, 256].
std::vector<std::uint8_t> number_by_nearness(const Codebook& codebook) {
  KNNSEQ_ASSERT(codebook.spec.nbits() == 8, "codes have 8 bits a sub-vector");
  const at::Tensor centroids = codebook.pq_centroids.contiguous();
  std::vector<std::uint8_t> numbers;
  for (std::int64_t s = 0; s < codebook.spec.m; ++s) {
    const auto more =
        number_by_nearness(centroids[s].const_data_ptr<float>(), codebook.spec.dsub());
    numbers.insert(numbers.end(), more.begin(), more.end());
  }
  return numbers;
}

/// The codebook whose code numbers[s][c] of sub-vector s is code c of the given one.
Codebook renumbered(Codebook codebook, const std::vector<std::uint8_t>& numbers) {
  if (numbers.empty()) return codebook;
  const at::Tensor places = at::empty({codebook.spec.m, 256, 1}, at::kLong);
  std::ranges::copy(numbers, places.mutable_data_ptr<std::int64_t>());
  codebook.pq_centroids = codebook.pq_centroids.scatter(1, places.expand_as(codebook.pq_centroids),
                                                        codebook.pq_centroids);
  return codebook;
}

ScanOptions with_kernels(ScanOptions options) {
  if (options.kernels == nullptr) options.kernels = &simd_kernels();
  return options;
}

}  // namespace

IvfPqScan::IvfPqScan(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
                     ScanOptions options)
    : options_(with_kernels(std::move(options))),
      coarse_centroids_(codebook.coarse_centroids.contiguous()),
      numbers_(options_.kernels->scan.near_tables ? number_by_nearness(codebook)
                                                  : std::vector<std::uint8_t>()),
      centroids_(renumbered(codebook, numbers_)),
      lists_(codebook.spec.m, list_sizes, options_.memory) {
  KNNSEQ_ASSERT(std::cmp_equal(list_sizes.size(), codebook.spec.nlist), "a size for each list");
}

void IvfPqScan::append(std::int64_t list, std::span<const std::uint8_t> codes,
                       std::span<const std::int64_t> ids) {
  KNNSEQ_ASSERT(list >= 0 && list < lists_.lists(), "no such list");
  const float* centroid =
      coarse_centroids_.const_data_ptr<float>() + list * coarse_centroids_.size(1);
  const auto terms = options_.inner_product ? nullptr : centroids_.terms_of(centroid);
  lists_.append(list, codes, ids,
                {.numbers = numbers_.empty() ? nullptr : numbers_.data(),
                 .terms = terms.get(),
                 .places = centroids_.places().data()});
}

TopK IvfPqScan::search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const {
  const std::int64_t q = rotated.size(0);
  KNNSEQ_ASSERT(rotated.dim() == 2 && rotated.scalar_type() == at::kFloat &&
                    rotated.size(1) == coarse_centroids_.size(1),
                "queries are fp32 [q, d_out]");
  KNNSEQ_ASSERT(
      k > 0 && probes.lists.size(0) == q && probes.distances.sizes() == probes.lists.sizes(),
      "shapes of queries and probes differ");
  const TopK result = missing_top_k(q, k);
  if (entries() == 0 || probes.lists.size(1) == 0) return result;
  const at::Tensor queries = rotated.contiguous();
  const at::Tensor lists = probes.lists.contiguous();
  const at::Tensor distances = probes.distances.contiguous();
  const ScanBatch batch{
      {queries.const_data_ptr<float>(), q, queries.size(1)},
      {lists.const_data_ptr<std::int64_t>(), q, lists.size(1)},
      {distances.const_data_ptr<float>(), q, lists.size(1)},
  };
  const std::int64_t groups = std::min(
      q, std::max<std::int64_t>(at::get_num_threads(), core::ceil_div(q, most_group_queries)));
  parallel_for(groups, [&](std::int64_t g) {
    ScanGroup group(
        {centroids_, lists_, options_.kernels->scan, options_.kernels->adc, options_.inner_product},
        batch, core::even_part(q, g, groups), k);
    group.search();
    group.write(result);
  });
  return result;
}

}  // namespace knnseq::index
