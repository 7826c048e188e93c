// One rank's part of the training sample.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

namespace knnseq::index {

/// The sample, in the order of entry numbers, is cut into blocks of `block_rows` rows (the last may
/// be shorter); block b belongs to rank b mod P. Everything is computed block by block and sums are
/// exact, so that results do not depend on P.
struct SampleBlocks {
  std::vector<at::Tensor> blocks;  ///< this rank's, [rows ≤ block_rows, dim], fp32 or fp16
  std::vector<std::int64_t> block_numbers;  ///< ascending, one per block
  std::int64_t total_rows = 0;              ///< of the whole sample, over all ranks
  std::int64_t block_rows = 8192;
  std::int64_t dim = 0;

  /// Throws std::logic_error where the parts contradict each other.
  void check() const;
};

/// Deals a whole sample [n, dim] that this rank holds: takes the blocks of `rank` among `ranks`.
SampleBlocks deal_sample(const at::Tensor& sample, std::int64_t block_rows, int rank, int ranks);

}  // namespace knnseq::index
