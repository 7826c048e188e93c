#include "index/sample/sample_selection.hpp"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "core/hash.hpp"
#include "core/types.hpp"
#include "index/sample/sample_assembly.hpp"

namespace knnseq::index {

namespace {

/// Which rows of a sample are chosen. Every rank knows this for all rows.
class Choice {
 public:
  Choice(std::int64_t rows, std::int64_t count, std::uint64_t seed) : seed_(seed), hashes_(rows) {
    for (std::size_t row = 0; row < hashes_.size(); ++row) hashes_[row] = hash(row);
    const auto last = hashes_.begin() + (count - 1);
    std::nth_element(hashes_.begin(), last, hashes_.end());
    threshold_ = *last;
    hashes_.resize(count);
    hashes_.shrink_to_fit();
    std::sort(hashes_.begin(), hashes_.end());
  }

  bool holds(std::int64_t row) const { return hash(static_cast<std::uint64_t>(row)) <= threshold_; }
  /// Place of a chosen row in the order of the hashes.
  std::int64_t rank_of(std::int64_t row) const {
    const auto at =
        std::lower_bound(hashes_.begin(), hashes_.end(), hash(static_cast<std::uint64_t>(row)));
    return at - hashes_.begin();
  }

 private:
  std::uint64_t hash(std::uint64_t row) const { return core::seeded_hash(seed_, row); }

  std::uint64_t seed_;
  std::uint64_t threshold_ = 0;
  std::vector<std::uint64_t> hashes_;  ///< of the chosen rows, ascending
};

/// The chosen rows of a block of the whole sample, as numbers in the whole sample.
std::vector<std::int64_t> chosen_rows(const SampleBlocks& sample, std::int64_t block,
                                      const Choice& choice) {
  std::vector<std::int64_t> rows;
  const std::int64_t end = std::min((block + 1) * sample.block_rows, sample.total_rows);
  for (std::int64_t row = block * sample.block_rows; row < end; ++row) {
    if (choice.holds(row)) rows.push_back(row);
  }
  return rows;
}

/// Rows of a block by their numbers in the whole sample, brought to the host.
at::Tensor take_rows(const at::Tensor& block, std::int64_t first_row,
                     const std::vector<std::int64_t>& rows) {
  const at::Tensor numbers = (at::tensor(rows, at::kLong) - first_row).to(block.device());
  return at::index_select(block, 0, numbers).cpu();
}

std::span<const std::byte> bytes_of(const at::Tensor& tensor) {
  return {static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()};
}

/// Blocks that the rank with most of them has.
std::int64_t rounds(comm::Communicator& comm, const SampleBlocks& sample) {
  return core::ceil_div(sample.total_blocks(), static_cast<std::int64_t>(comm.size()));
}

}  // namespace

SampleBlocks subsample(comm::Communicator& comm, SampleBlocks sample, std::int64_t count,
                       std::uint64_t seed) {
  if (count >= sample.total_rows) return sample;
  const Choice choice(sample.total_rows, count, seed);
  const at::Device device =
      sample.blocks.empty() ? at::Device(at::kCPU) : sample.blocks.front().device();
  const auto type = static_cast<at::ScalarType>(comm.all_reduce(
      sample.blocks.empty() ? std::int64_t{-1}
                            : static_cast<std::int64_t>(sample.blocks.front().scalar_type()),
      comm::Reduction::max));
  SampleAssembly assembly(comm, count, sample.dim, type, sample.block_rows);
  std::int64_t taken = 0;  // of all blocks before the present one
  for (std::int64_t round = 0; round < rounds(comm, sample); ++round) {
    std::vector<std::int64_t> places;
    at::Tensor rows = at::empty({0, sample.dim}, type);
    for (int rank = 0; rank < comm.size(); ++rank) {
      const std::int64_t block = round * comm.size() + rank;
      const auto chosen = chosen_rows(sample, block, choice);
      if (rank == comm.rank() && !chosen.empty()) {
        at::Tensor& from = sample.blocks[round];
        rows = take_rows(from, block * sample.block_rows, chosen);
        for (std::int64_t i = 0; i < std::ssize(chosen); ++i) places.push_back(taken + i);
        from.reset();
      }
      taken += std::ssize(chosen);
    }
    assembly.add(places, bytes_of(rows));
  }
  return copy_to(assembly.finish(), device);
}

at::Tensor draw_rows(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t count,
                     std::uint64_t seed) {
  const Choice choice(sample.total_rows, count, seed);
  at::Tensor result = at::empty({count, sample.dim}, at::kFloat);
  auto* const to = result.mutable_data_ptr<float>();
  for (std::int64_t round = 0; round < rounds(comm, sample); ++round) {
    at::Tensor mine = at::empty({0, sample.dim}, at::kFloat);
    std::vector<std::int64_t> chosen;  // of all ranks, in their order
    for (int rank = 0; rank < comm.size(); ++rank) {
      const std::int64_t block = round * comm.size() + rank;
      const auto rows = chosen_rows(sample, block, choice);
      if (rank == comm.rank() && !rows.empty()) {
        mine = take_rows(sample.blocks[round], block * sample.block_rows, rows).to(at::kFloat);
      }
      chosen.insert(chosen.end(), rows.begin(), rows.end());
    }
    const auto values = comm.all_gather_bytes(bytes_of(mine)).values;
    const std::size_t row_bytes = static_cast<std::size_t>(sample.dim) * sizeof(float);
    for (std::size_t i = 0; i < chosen.size(); ++i) {
      std::memcpy(to + choice.rank_of(chosen[i]) * sample.dim, values.data() + i * row_bytes,
                  row_bytes);
    }
  }
  return result;
}

SampleBlocks map_blocks(SampleBlocks sample, std::int64_t dim,
                        const std::function<at::Tensor(const at::Tensor&)>& map) {
  sample.dim = dim;
  for (at::Tensor& block : sample.blocks) block = map(block.to(at::kFloat).contiguous());
  return sample;
}

}  // namespace knnseq::index
