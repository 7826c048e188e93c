#include "index/sample_selection.hpp"

#include <algorithm>
#include <vector>

#include "core/hash.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

struct HashedRow {
  std::uint64_t hash;
  std::size_t block;  ///< position in SampleBlocks::blocks
  std::int64_t row;   ///< in the block
};

/// The count-th smallest of the hashes (1 ≤ count ≤ size).
std::uint64_t threshold(std::vector<std::uint64_t> hashes, std::int64_t count) {
  const auto last = hashes.begin() + (count - 1);
  std::nth_element(hashes.begin(), last, hashes.end());
  return *last;
}

std::uint64_t row_hash(const SampleBlocks& sample, std::size_t block, std::int64_t row,
                       std::uint64_t seed) {
  return core::seeded_hash(
      seed, static_cast<std::uint64_t>(sample.block_numbers[block] * sample.block_rows + row));
}

}  // namespace

SampleBlocks subsample(const SampleBlocks& sample, std::int64_t count, std::uint64_t seed) {
  if (count >= sample.total_rows) return sample;
  std::vector<std::uint64_t> hashes(static_cast<std::size_t>(sample.total_rows));
  for (std::size_t row = 0; row < hashes.size(); ++row) hashes[row] = core::seeded_hash(seed, row);
  const std::uint64_t last = threshold(std::move(hashes), count);
  SampleBlocks result = sample;
  result.total_rows = count;
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < sample.blocks[b].size(0); ++row) {
      if (row_hash(sample, b, row, seed) <= last) rows.push_back(row);
    }
    result.blocks[b] = at::index_select(sample.blocks[b], 0, at::tensor(rows, at::kLong));
  }
  return result;
}

at::Tensor draw_rows(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t count,
                     std::uint64_t seed) {
  KNNSEQ_ASSERT(count > 0 && count <= sample.total_rows, "more rows drawn than there are");
  std::vector<HashedRow> mine;
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    for (std::int64_t row = 0; row < sample.blocks[b].size(0); ++row) {
      mine.push_back({row_hash(sample, b, row, seed), b, row});
    }
  }
  const auto by_hash = [](const HashedRow& a, const HashedRow& b) { return a.hash < b.hash; };
  std::sort(mine.begin(), mine.end(), by_hash);
  if (std::cmp_greater(mine.size(), count)) mine.resize(static_cast<std::size_t>(count));

  std::vector<std::uint64_t> hashes;
  for (const HashedRow& row : mine) hashes.push_back(row.hash);
  const std::uint64_t last =
      threshold(comm.all_gather(std::span<const std::uint64_t>(hashes)).values, count);
  const auto kept = static_cast<std::size_t>(std::upper_bound(hashes.begin(), hashes.end(), last) -
                                             hashes.begin());
  hashes.resize(kept);
  std::vector<float> values;
  for (std::size_t i = 0; i < kept; ++i) {
    const at::Tensor row =
        sample.blocks[mine[i].block].select(0, mine[i].row).to(at::kFloat).contiguous();
    const float* data = row.const_data_ptr<float>();
    values.insert(values.end(), data, data + sample.dim);
  }

  const auto all_hashes = comm.all_gather(std::span<const std::uint64_t>(hashes)).values;
  const auto all_values = comm.all_gather(std::span<const float>(values)).values;
  std::vector<std::size_t> order(all_hashes.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](std::size_t a, std::size_t b) { return all_hashes[a] < all_hashes[b]; });
  at::Tensor result = at::empty({count, sample.dim}, at::kFloat);
  auto* to = result.mutable_data_ptr<float>();
  for (const std::size_t from : order) {
    std::copy_n(all_values.data() + from * static_cast<std::size_t>(sample.dim), sample.dim, to);
    to += sample.dim;
  }
  return result;
}

SampleBlocks map_blocks(const SampleBlocks& sample, std::int64_t dim,
                        const std::function<at::Tensor(const at::Tensor&)>& map) {
  SampleBlocks result = sample;
  result.dim = dim;
  for (at::Tensor& block : result.blocks) block = map(block.to(at::kFloat).contiguous());
  return result;
}

}  // namespace knnseq::index
