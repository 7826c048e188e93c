#include <algorithm>
#include <limits>

#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "gpu/integer_upload.hpp"
#include "index/core/distance_keys.hpp"
#include "index/search/subset_scan.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t most_columns = 32;    // queries of a set side by side: a warp's lanes
constexpr std::int64_t fewest_entries = 64;  // of a tile

/// Bytes that a query's tables take while they are made.
std::int64_t table_bytes(const AdcTorch& adc) {
  return 2 * adc.m * 256 * static_cast<std::int64_t>(sizeof(float));
}

/// Bytes that an entry of a tile takes: adc_distances(), then keys, their parts and the selection.
std::int64_t entry_bytes(const AdcTorch& adc, std::int64_t columns) {
  return 9 * adc.m + 48 + 72 * columns;
}

/// The k smallest keys of each row, ascending; fewer if there are fewer.
at::Tensor smallest(const at::Tensor& keys, std::int64_t k) {
  return std::get<0>(keys.topk(std::min(k, keys.size(2)), 2, /*largest=*/false, /*sorted=*/true));
}

}  // namespace

SubsetScanTorch::SubsetScanTorch(const AdcTorch& adc, std::span<const std::int64_t> sizes,
                                 std::int64_t workspace)
    : adc_(adc),
      workspace_(workspace),
      sizes_(sizes.begin(), sizes.end()),
      first_rows_{0},
      appended_(sizes.size(), 0) {
  for (const auto size : sizes) {
    KNNSEQ_ASSERT(size >= 0 && size <= std::numeric_limits<std::int32_t>::max(),
                  "positions in a set have 31 bits");
    first_rows_.push_back(first_rows_.back() + size);
  }
  const auto host = at::TensorOptions().pinned_memory(adc.device().is_cuda());
  codes_ = at::empty({entries(), adc.m}, host.dtype(at::kByte));
  ids_ = at::empty({entries()}, host.dtype(at::kLong));
}

void SubsetScanTorch::append(std::int64_t set, std::span<const std::uint8_t> codes,
                             std::span<const std::int64_t> ids) {
  KNNSEQ_ASSERT(!finished_ && set >= 0 && set < std::ssize(sizes_) &&
                    std::ssize(codes) == std::ssize(ids) * adc_.m,
                "codes and ids of one set");
  auto& count = appended_[set];
  KNNSEQ_ASSERT(count + std::ssize(ids) <= size(set), "a set has no room left");
  const auto row = first_rows_[set] + count;
  auto* to = ids_.mutable_data_ptr<std::int64_t>() + row;
  std::ranges::copy(ids, to);
  std::ranges::copy(codes, codes_.mutable_data_ptr<std::uint8_t>() + row * adc_.m);
  for (std::int64_t i = count > 0 ? 0 : 1; i < std::ssize(ids); ++i) {
    KNNSEQ_ASSERT(core::entry_number_of(to[i - 1]) < core::entry_number_of(to[i]),
                  "entries come in the order of their numbers");
  }
  count += std::ssize(ids);
}

void SubsetScanTorch::finish() {
  KNNSEQ_ASSERT(!finished_ && appended_ == sizes_, "sets are not full");
  codes_ = codes_.to(adc_.device(), /*non_blocking=*/true).index_select(1, adc_.order);
  ids_ = ids_.to(adc_.device(), /*non_blocking=*/true);
  finished_ = true;
}

std::int64_t SubsetScanTorch::bytes() const {
  return entries() * (adc_.m + static_cast<std::int64_t>(sizeof(std::int64_t)));
}

std::int64_t SubsetScanTorch::size(std::int64_t set) const { return sizes_[set]; }

TopK SubsetScanTorch::search(const at::Tensor& rotated, std::span<const std::int64_t> sets,
                             std::int64_t k) const {
  const std::int64_t q = rotated.size(0);
  KNNSEQ_ASSERT(rotated.dim() == 2 && rotated.scalar_type() == at::kFloat &&
                    rotated.size(1) == adc_.m * adc_.dsub && rotated.device() == adc_.device() &&
                    std::ssize(sets) == q && k > 0 && finished_,
                "queries are fp32 [q, d_out] on the device, each of one set");
  for (const auto set : sets) KNNSEQ_ASSERT(set >= 0 && set < std::ssize(sizes_), "no such set");
  if (q == 0 || entries() == 0) {
    return missing_top_k(q, k, rotated.device());
  }
  const auto passes = plan_slots(sets, sizes_, most_columns, workspace_ / 2 / table_bytes(adc_));
  const Plan plan = send(passes, q);
  std::vector<at::Tensor> distances, ids;
  for (const Work& work : plan.works) {
    const TopK found = search_pass(rotated, work, k);
    distances.push_back(found.distances);
    ids.push_back(found.ids);
  }
  return {at::cat(distances).index_select(0, plan.places),
          at::cat(ids).index_select(0, plan.places)};
}

/// Sends all that the device has to know, in one copy.
SubsetScanTorch::Plan SubsetScanTorch::send(const std::vector<SlotPass>& passes,
                                            std::int64_t queries) const {
  gpu::IntegerUpload upload;
  std::vector<std::int64_t> places(queries);
  std::int64_t place = 0;
  for (const SlotPass& pass : passes) {
    std::vector<std::int64_t> rows, first_rows, sizes;
    for (const QuerySlot& slot : pass.slots) {
      for (const auto query : slot.queries) {
        places[query] = place + std::ssize(rows);
        rows.push_back(query);
      }
      first_rows.push_back(first_rows_[slot.set]);
      sizes.push_back(size(slot.set));
      // The padding of a slot is searched too, and its results are ignored.
      rows.resize(first_rows.size() * static_cast<std::size_t>(pass.columns), rows.back());
    }
    place += std::ssize(rows);
    for (const auto& list : {rows, first_rows, sizes}) upload.add(list);
  }
  const std::size_t of_places = upload.add(places);
  const auto lists = upload.send(adc_.device());
  Plan plan{{}, lists[of_places]};
  for (std::size_t i = 0; i < passes.size(); ++i) {
    plan.works.push_back(
        {passes[i], lists[3 * i], lists[3 * i + 1].unsqueeze(1), lists[3 * i + 2].unsqueeze(1)});
  }
  return plan;
}

/// Results of all queries of the pass in their order, padding included.
TopK SubsetScanTorch::search_pass(const at::Tensor& rotated, const Work& work,
                                  std::int64_t k) const {
  const auto& slots = work.pass.slots;
  const auto count = std::ssize(slots);
  const std::int64_t columns = work.pass.columns;
  const at::Tensor tables = adc_tables(
      adc_, rotated.index_select(0, work.queries).view({count, columns, rotated.size(1)}));
  const at::Tensor best = at::full({count, columns, k}, no_distance_key, work.queries.options());
  const std::int64_t width = tile_width(work.pass);
  const std::int64_t largest = size(slots.front().set);
  std::int64_t still = count;  // slots whose sets reach so far
  for (std::int64_t first = 0; first < largest; first += width) {
    while (size(slots[static_cast<std::size_t>(still) - 1].set) <= first) --still;
    const at::Tensor keys =
        tile_keys(tables, work, still, {first, std::min(first + width, largest)});
    const at::Tensor so_far = best.narrow(0, 0, still);
    so_far.copy_(smallest(at::cat({so_far, smallest(keys, k)}, 2), k));
  }
  const at::Tensor missing = best == no_distance_key;
  const at::Tensor rows = positions_of_keys(best) + work.first_rows.unsqueeze(2);
  const at::Tensor ids =
      ids_.index_select(0, rows.masked_fill(missing, 0).flatten()).view(best.sizes());
  return {distances_of_keys(best).flatten(0, 1),
          ids.masked_fill(missing, missing_id).flatten(0, 1)};
}

/// Keys of the first `slots` slots' entries in these positions, int64 [slots, columns, positions].
at::Tensor SubsetScanTorch::tile_keys(const at::Tensor& tables, const Work& work,
                                      std::int64_t slots, core::Range positions) const {
  const at::Tensor places = at::arange(positions.begin, positions.end, work.queries.options());
  // After a set's end come other sets' entries, which are skipped.
  const at::Tensor rows =
      (work.first_rows.narrow(0, 0, slots) + places).clamp_max_(entries() - 1).flatten();
  const at::Tensor codes = codes_.index_select(0, rows).view({slots, positions.size(), adc_.m});
  const at::Tensor distances =
      adc_distances(adc_, tables.narrow(0, 0, slots), codes).transpose(1, 2).contiguous();
  const at::Tensor beyond = places >= work.sizes.narrow(0, 0, slots);
  return distance_keys(distances, places).masked_fill_(beyond.unsqueeze(1), no_distance_key);
}

/// Entries of a set that are worked on at a time.
std::int64_t SubsetScanTorch::tile_width(const SlotPass& pass) const {
  const std::int64_t a_position = std::ssize(pass.slots) * entry_bytes(adc_, pass.columns);
  return std::max(workspace_ / 2 / a_position, fewest_entries);
}

}  // namespace knnseq::index
