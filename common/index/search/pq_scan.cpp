#include "index/search/pq_scan.hpp"

#include <algorithm>
#include <utility>

#include <ATen/Parallel.h>

#include "core/error.hpp"
#include "index/core/plain_distance.hpp"

namespace knnseq::index {

namespace {

/// That go through the lists together: the tables of more do not stay in the cache while all lists
/// pass by.
constexpr std::int64_t queries_a_thread = 32;

Codebook with_lists_at_zero(Codebook codebook, std::int64_t lists) {
  KNNSEQ_ASSERT(!codebook.spec.has_lists() && codebook.spec.storage == Storage::pq,
                "PQ without lists");
  codebook.spec.nlist = lists;
  codebook.coarse_centroids = at::zeros({lists, codebook.spec.d_out});
  return codebook;
}

}  // namespace

PqScan::PqScan(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
               std::shared_ptr<std::byte> memory)
    : inner_product_(is_inner_product(codebook.spec.metric)),
      lists_(std::ssize(list_sizes)),
      scan_(with_lists_at_zero(codebook, lists_), list_sizes,
            ScanOptions{.inner_product = inner_product_, .memory = std::move(memory)}) {}

TopK PqScan::search(const at::Tensor& rotated, const Probes&, std::int64_t k) const {
  const at::Tensor queries = rotated.contiguous();
  const std::int64_t q = queries.size(0);
  const std::int64_t d = queries.size(1);
  at::Tensor norms = at::zeros({q, 1});
  for (std::int64_t i = 0; i < q && !inner_product_; ++i) {
    const float* query = queries.const_data_ptr<float>() + i * d;
    norms.mutable_data_ptr<float>()[i] =
        sum_of_terms(query, query, d, [](float x, float y) { return x * y; });
  }
  const TopK result = missing_top_k(q, k);
  const std::int64_t together = queries_a_thread * at::get_num_threads();
  for (std::int64_t first = 0; first < q; first += together) {
    const std::int64_t count = std::min(together, q - first);
    const auto some = [&](const at::Tensor& tensor) { return tensor.narrow(0, first, count); };
    const TopK found = scan_.search(some(queries),
                                    {at::arange(lists_, at::kLong).expand({count, lists_}),
                                     some(norms).expand({count, lists_})},
                                    k);
    some(result.distances).copy_(found.distances);
    some(result.ids).copy_(found.ids);
  }
  return result;
}

}  // namespace knnseq::index
