#include "stages/read_sample.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/types.hpp"

namespace knnseq::stages {

namespace {

using Half = std::uint16_t;

/// Leaves out the rows of other entries.
void keep_rows(SampleRows& rows, const std::function<bool(std::int64_t)>& keep) {
  if (rows.entries.empty()) return;
  const std::size_t width = rows.keys.size() / rows.entries.size();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.entries.size(); ++i) {
    if (!keep(rows.entries[i])) continue;
    rows.entries[kept] = rows.entries[i];
    std::memmove(&rows.keys[kept * width], &rows.keys[i * width], width * sizeof(Half));
    ++kept;
  }
  rows.entries.resize(kept);
  rows.keys.resize(kept * width);
}

/// `count` values of each row, regrouped so that rows come in the order `order`.
template <class T>
std::vector<T> reordered(const std::vector<T>& values, std::size_t count,
                         const std::vector<std::size_t>& order) {
  std::vector<T> result(order.size() * count);
  for (std::size_t i = 0; i < order.size(); ++i) {
    std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(order[i] * count), count,
                result.begin() + static_cast<std::ptrdiff_t>(i * count));
  }
  return result;
}

}  // namespace

index::SampleBlocks read_sample(runtime::StageContext& context, const SampledDatastore& datastore,
                                const SampleSpec& wanted, std::int64_t width,
                                const std::function<bool(std::int64_t)>& keep) {
  auto& comm = context.comm;
  SampleRows mine = find_sample_rows(context, datastore, wanted);
  if (keep) keep_rows(mine, keep);

  auto all_entries = comm.all_gather(std::span<const std::int64_t>(mine.entries)).values;
  std::sort(all_entries.begin(), all_entries.end());
  index::SampleBlocks sample;
  sample.total_rows = std::ssize(all_entries);
  sample.dim = width;
  const auto place_of = [&](std::int64_t entry) {
    return std::lower_bound(all_entries.begin(), all_entries.end(), entry) - all_entries.begin();
  };
  const auto owner_of = [&](std::int64_t place) { return place / sample.block_rows % comm.size(); };

  // Out: rows in the order of (owner, place); in: the same from each rank, then sorted by place.
  std::vector<std::int64_t> places(mine.entries.size());
  std::transform(mine.entries.begin(), mine.entries.end(), places.begin(), place_of);
  std::vector<std::size_t> order(places.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return std::pair(owner_of(places[a]), places[a]) < std::pair(owner_of(places[b]), places[b]);
  });
  std::vector<std::int64_t> counts(static_cast<std::size_t>(comm.size()), 0);
  for (const auto place : places) ++counts[static_cast<std::size_t>(owner_of(place))];
  const auto columns = static_cast<std::size_t>(width);
  const auto sent_places = reordered(places, 1, order);
  auto sent_keys = reordered(mine.keys, columns, order);
  mine = {};
  const auto got_places =
      comm.all_to_all(std::span<const std::int64_t>(sent_places), counts).values;
  for (auto& count : counts) count *= width;
  const auto got_keys = comm.all_to_all(std::span<const Half>(sent_keys), counts).values;
  sent_keys = {};

  std::vector<std::size_t> by_place(got_places.size());
  std::iota(by_place.begin(), by_place.end(), std::size_t{0});
  std::sort(by_place.begin(), by_place.end(),
            [&](std::size_t a, std::size_t b) { return got_places[a] < got_places[b]; });
  const auto blocks = core::ceil_div(sample.total_rows, sample.block_rows);
  std::size_t next = 0;
  for (std::int64_t block = comm.rank(); block < blocks; block += comm.size()) {
    const auto rows = std::min(sample.block_rows, sample.total_rows - block * sample.block_rows);
    at::Tensor keys = at::empty({rows, width}, at::kHalf);
    auto* into = reinterpret_cast<Half*>(keys.mutable_data_ptr<at::Half>());
    for (std::int64_t row = 0; row < rows; ++row, ++next) {
      std::memcpy(into + row * width, got_keys.data() + by_place[next] * columns,
                  columns * sizeof(Half));
    }
    sample.blocks.push_back(keys.to(at::kFloat));
    sample.block_numbers.push_back(block);
  }
  return sample;
}

}  // namespace knnseq::stages
