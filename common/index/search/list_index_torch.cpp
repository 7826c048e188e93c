#include "index/search/list_index_torch.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

/// Queries whose tables are in memory at a time: 64 MiB of them at M = 64 in fp16.
constexpr std::int64_t most_queries = 2048;
/// What a search and other parts of the program need on the device beside the lists.
constexpr std::int64_t spare_bytes = std::int64_t{512} << 20;

double as_gib(std::int64_t bytes) { return static_cast<double>(bytes) / (std::int64_t{1} << 30); }

}  // namespace

ListIndexTorch::ListIndexTorch(const IndexSpec& spec, std::int64_t entries,
                               std::shared_ptr<const gpu::ScanLauncher> launcher)
    : launcher_(std::move(launcher)),
      width_(spec.d_out),
      code_bytes_(spec.code_bytes()),
      entries_(entries) {}

void ListIndexTorch::require_memory(std::int64_t bytes) const {
  const std::int64_t free = launcher_->free_bytes();
  if (bytes + spare_bytes <= free) return;
  const std::int64_t ranks = core::ceil_div(bytes, std::max<std::int64_t>(free - spare_bytes, 1));
  throw core::InputError(fmt::format(
      "this rank's {} entries of {} bytes a code need {:.1f} GiB of GPU memory and {:.1f} GiB are "
      "free: use fewer bytes a code (a smaller M in index.type), about {} times as many ranks, "
      "each with a GPU of its own, or device: cpu",
      entries_, code_bytes_, as_gib(bytes + spare_bytes), as_gib(std::max<std::int64_t>(free, 0)),
      free > spare_bytes ? fmt::format("{}", ranks) : std::string("several")));
}

TopK ListIndexTorch::search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const {
  const std::int64_t q = rotated.size(0);
  KNNSEQ_ASSERT(
      rotated.dim() == 2 && rotated.scalar_type() == at::kFloat && rotated.size(1) == width_,
      "queries are fp32 [q, d_out]");
  KNNSEQ_ASSERT(
      k > 0 && probes.lists.size(0) == q && probes.distances.sizes() == probes.lists.sizes(),
      "shapes of queries and probes differ");
  if (entries_ == 0 || probes.lists.size(1) == 0) return missing_top_k(q, k, device());
  const auto options = at::TensorOptions(device());
  const TopK result{at::empty({q, k}, options.dtype(at::kFloat)),
                    at::empty({q, k}, options.dtype(at::kLong))};
  for (std::int64_t first = 0; first < q; first += most_queries) {
    const auto some = [&](const at::Tensor& tensor) {
      return tensor.slice(0, first, std::min(first + most_queries, q));
    };
    const auto there = [&](const at::Tensor& tensor) {
      return some(tensor).to(device()).contiguous();
    };
    search_some(there(rotated), {there(probes.lists), there(probes.distances)},
                {some(result.distances), some(result.ids)});
  }
  return result;
}

}  // namespace knnseq::index
