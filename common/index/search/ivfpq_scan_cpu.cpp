#include <algorithm>
#include <utility>

#include <ATen/Parallel.h>

#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "index/search/scan_group.hpp"

namespace knnseq::index {

namespace {

/// The most queries that go through the lists together: bounds the memory of their tables.
constexpr std::int64_t most_group_queries = 256;

}  // namespace

IvfPqScan::IvfPqScan(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
                     ScanOptions options)
    : options_(std::move(options)),
      coarse_centroids_(codebook.coarse_centroids.contiguous()),
      centroids_(codebook),
      lists_(codebook.spec.m, list_sizes, options_.memory) {
  KNNSEQ_ASSERT(std::cmp_equal(list_sizes.size(), codebook.spec.nlist), "a size for each list");
  if (options_.kernels == nullptr) options_.kernels = &simd_kernels();
}

void IvfPqScan::append(std::int64_t list, std::span<const std::uint8_t> codes,
                       std::span<const std::int64_t> ids) {
  KNNSEQ_ASSERT(list >= 0 && list < lists_.lists(), "no such list");
  const auto m = static_cast<std::size_t>(centroids_.m());
  KNNSEQ_ASSERT(codes.size() == ids.size() * m, "codes and ids of different numbers of entries");
  PaddedVector twice_centroid(centroids_.m() * centroids_.padded_dsub());
  centroids_.pad(coarse_centroids_.const_data_ptr<float>() + list * coarse_centroids_.size(1), 2,
                 twice_centroid.data());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const auto code = codes.subspan(i * m, m);
    const float term = options_.inner_product
                           ? 0
                           : centroids_.squared_norm(code.data()) +
                                 centroids_.dot(twice_centroid.data(), code.data(), 1);
    lists_.append(list, code, ids[i], term);
  }
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
    ScanGroup group({centroids_, lists_, options_.kernels->scan, options_.inner_product}, batch,
                    core::even_part(q, g, groups), k);
    group.search();
    group.write(result);
  });
  return result;
}

}  // namespace knnseq::index
