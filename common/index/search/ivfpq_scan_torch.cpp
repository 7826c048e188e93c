#include <algorithm>
#include <limits>
#include <numeric>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "gpu/scan_plan.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/search/ivfpq_scan.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t group_entries = gpu::scan_group_entries;

std::int64_t groups_of(std::int64_t entries) { return core::ceil_div(entries, group_entries); }

/// First groups of lists of these sizes, and the end of the last.
at::Tensor place_lists(std::span<const std::int64_t> sizes) {
  at::Tensor places = at::empty({std::ssize(sizes) + 1}, at::kLong);
  auto* place = places.mutable_data_ptr<std::int64_t>();
  place[0] = 0;
  for (std::size_t list = 0; list < sizes.size(); ++list) {
    KNNSEQ_ASSERT(sizes[list] >= 0, "a list of negative size");
    place[list + 1] = place[list] + groups_of(sizes[list]);
  }
  return places;
}

}  // namespace

IvfPqScanTorch::IvfPqScanTorch(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
                               std::shared_ptr<const gpu::ScanLauncher> launcher,
                               const ScanOptionsTorch& options)
    : ListIndexTorch(codebook.spec,
                     std::accumulate(list_sizes.begin(), list_sizes.end(), std::int64_t{0}),
                     std::move(launcher)),
      options_(options),
      coarse_centroids_(codebook.coarse_centroids.contiguous()),
      centroids_(codebook),
      chunk_bytes_(codebook.spec.m % 16 == 0 ? 16 : 4),
      padded_m_(core::ceil_div(codebook.spec.m, chunk_bytes_) * chunk_bytes_),
      sizes_(list_sizes.size(), 0),
      first_groups_(place_lists(list_sizes)) {
  KNNSEQ_ASSERT(std::cmp_equal(list_sizes.size(), codebook.spec.nlist), "a size for each list");
  const std::int64_t groups =
      first_groups_.const_data_ptr<std::int64_t>()[first_groups_.numel() - 1];
  if (groups > std::int64_t{gpu::no_position} / group_entries) {
    throw core::InputError(fmt::format(
        "{} entries are more than one GPU's lists can hold: use more ranks", entries()));
  }
  require_memory(bytes());
  codes_ = at::zeros({groups, group_entries * padded_m_}, at::kByte);
  terms_ = at::full({groups, group_entries}, std::numeric_limits<float>::infinity(), at::kFloat);
  ids_ = at::full({groups, group_entries}, missing_id, at::kLong);
  rows_ = at::zeros({centroids_.m(), 256, centroids_.padded_dsub()}, at::kFloat);
  rows_.slice(2, 0, centroids_.dsub()).copy_(codebook.pq_centroids);
  for (std::int64_t s = 0; s < centroids_.m(); ++s) {
    radius_ = std::max(radius_, centroids_.radius(s));
  }
}

std::int64_t IvfPqScanTorch::bytes() const {
  const std::int64_t groups =
      codes_.defined() ? codes_.size(0)
                       : first_groups_.const_data_ptr<std::int64_t>()[first_groups_.numel() - 1];
  return groups * group_entries *
             (padded_m_ + static_cast<std::int64_t>(sizeof(float) + sizeof(std::int64_t))) +
         first_groups_.numel() * static_cast<std::int64_t>(sizeof(std::int64_t)) +
         centroids_.m() * 256 * centroids_.padded_dsub() * static_cast<std::int64_t>(sizeof(float));
}

void IvfPqScanTorch::append(std::int64_t list, std::span<const std::uint8_t> codes,
                            std::span<const std::int64_t> ids) {
  KNNSEQ_ASSERT(list >= 0 && std::cmp_less(list, sizes_.size()) && !finished_, "no such list");
  const auto m = static_cast<std::size_t>(centroids_.m());
  KNNSEQ_ASSERT(codes.size() == ids.size() * m, "codes and ids of different numbers of entries");
  const auto terms = centroids_.terms_of(coarse_centroids_.const_data_ptr<float>() +
                                         list * coarse_centroids_.size(1));
  const auto* places = first_groups_.const_data_ptr<std::int64_t>();
  std::int64_t& size = sizes_[list];
  for (std::size_t i = 0; i < ids.size(); ++i, ++size) {
    const std::int64_t group = places[list] + size / group_entries;
    KNNSEQ_ASSERT(group < places[list + 1], "a list has no room left");
    const auto code = codes.subspan(i * m, m);
    const std::int64_t position = group * group_entries + size % group_entries;
    terms_.mutable_data_ptr<float>()[position] =
        options_.inner_product ? 0 : term_of(terms.get(), code.data(), centroids_.m());
    ids_.mutable_data_ptr<std::int64_t>()[position] = ids[i];
    std::uint8_t* to = codes_.mutable_data_ptr<std::uint8_t>() + group * group_entries * padded_m_ +
                       size % group_entries * chunk_bytes_;
    for (std::int64_t s = 0; s < centroids_.m(); ++s) {
      to[s / chunk_bytes_ * group_entries * chunk_bytes_ + s % chunk_bytes_] = code[s];
    }
  }
}

void IvfPqScanTorch::finish() {
  for (at::Tensor* tensor : {&first_groups_, &codes_, &terms_, &ids_, &rows_}) {
    *tensor = tensor->to(device());
  }
  finished_ = true;
}

gpu::ScanPlan IvfPqScanTorch::plan(const Probes& probes, std::int64_t k) const {
  const std::int64_t nprobe = probes.lists.size(1);
  const double probed = static_cast<double>(nprobe) / static_cast<double>(sizes_.size());
  gpu::ScanPlan plan =
      gpu::plan_scan(launcher(), {.padded_m = padded_m_,
                                  .queries = probes.lists.size(0),
                                  .nprobe = nprobe,
                                  .k = k,
                                  .entries_per_query = probed * static_cast<double>(entries()),
                                  .half_tables = options_.half_tables});
  if (options_.splits > 0) plan.splits = options_.splits;
  return plan;
}

void IvfPqScanTorch::search_some(const at::Tensor& rotated, const Probes& probes,
                                 const TopK& out) const {
  KNNSEQ_ASSERT(finished_, "lists are searched before they are all there");
  const std::int64_t q = rotated.size(0);
  const auto options = at::TensorOptions().device(device());
  gpu::ScanJob job;
  job.plan = plan(probes, out.ids.size(1));
  const at::Tensor tables =
      at::empty({q, padded_m_, 256}, options.dtype(options_.half_tables ? at::kHalf : at::kFloat));
  const at::Tensor scales = at::empty({q}, options.dtype(at::kFloat));
  const at::Tensor scores =
      at::empty({q, job.plan.splits, job.plan.kept}, options.dtype(at::kFloat));
  const at::Tensor positions = at::empty(scores.sizes(), options.dtype(at::kInt));
  job.lists = {centroids_.m(),
               padded_m_,
               chunk_bytes_,
               codes_.const_data_ptr<std::uint8_t>(),
               terms_.const_data_ptr<float>(),
               ids_.const_data_ptr<std::int64_t>(),
               first_groups_.const_data_ptr<std::int64_t>()};
  job.centroids = {rows_.const_data_ptr<float>(), centroids_.dsub(), centroids_.padded_dsub(),
                   radius_};
  job.queries = {rotated.const_data_ptr<float>(),
                 probes.lists.const_data_ptr<std::int64_t>(),
                 probes.distances.const_data_ptr<float>(),
                 q,
                 probes.lists.size(1),
                 options_.inner_product ? -1.0F : -2.0F};
  job.scratch = {tables.mutable_data_ptr(), scales.mutable_data_ptr<float>(),
                 scores.mutable_data_ptr<float>(),
                 reinterpret_cast<std::uint32_t*>(positions.mutable_data_ptr<std::int32_t>())};
  job.distances = out.distances.mutable_data_ptr<float>();
  job.ids = out.ids.mutable_data_ptr<std::int64_t>();
  launcher().scan(job);
}

}  // namespace knnseq::index
