// One rank's part of the training sample.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::index {

/// The sample, in the order of entry numbers, is cut into blocks of `block_rows` rows (the last may
/// be shorter); block b belongs to rank b mod P. Everything is computed block by block and sums are
/// exact, so that results do not depend on P. All blocks lie on one device.
struct SampleBlocks {
  std::vector<at::Tensor> blocks;  ///< this rank's, [rows ≤ block_rows, dim], fp32, fp16 or bf16
  std::vector<std::int64_t> block_numbers;  ///< ascending, one per block
  std::int64_t total_rows = 0;              ///< of the whole sample, over all ranks
  std::int64_t block_rows = 4096;
  std::int64_t dim = 0;

  /// Number in the whole sample of a row of blocks[block].
  std::int64_t row_number(std::size_t block, std::int64_t row) const {
    return block_numbers[block] * block_rows + row;
  }
  /// Blocks of the whole sample, over all ranks.
  std::int64_t total_blocks() const;

  /// Throws std::logic_error if the parts contradict each other.
  void check() const;
};

/// A hash-selected 1/n subsample of a sample: the same rows for any number of ranks.
struct Subsampling {
  std::uint64_t seed = 0;
  std::uint64_t one_in = 1;

  /// row: number in the whole sample.
  bool keeps(std::int64_t row) const;
};

/// Those rows of a block that are kept, fp32 [kept, dim], on the block's device.
at::Tensor kept_rows(const SampleBlocks& sample, std::size_t block, const Subsampling& subsampling);

/// The sample with its blocks on `device`; each block of the argument is freed once it is copied.
SampleBlocks copy_to(SampleBlocks sample, at::Device device);

/// Deals a whole sample [n, dim] that this rank holds: takes the blocks of `rank` among `ranks`.
SampleBlocks deal_sample(const at::Tensor& sample, std::int64_t block_rows, int rank, int ranks);

}  // namespace knnseq::index
