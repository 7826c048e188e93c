#include "index/sample/sample_blocks.hpp"

#include "core/hash.hpp"
#include "core/types.hpp"

namespace knnseq::index {

std::int64_t SampleBlocks::total_blocks() const { return core::ceil_div(total_rows, block_rows); }

void SampleBlocks::check() const {
  KNNSEQ_ASSERT(blocks.size() == block_numbers.size(), "a number for each block of the sample");
  KNNSEQ_ASSERT(block_rows > 0 && dim > 0, "sample blocks without a shape");
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const at::Tensor& block = blocks[i];
    KNNSEQ_ASSERT(block.dim() == 2 && block.size(1) == dim && block.size(0) <= block_rows,
                  "sample block of another shape");
    KNNSEQ_ASSERT(block.scalar_type() == at::kFloat || block.scalar_type() == at::kHalf ||
                      block.scalar_type() == at::kBFloat16,
                  "sample blocks are fp32, fp16 or bf16");
    KNNSEQ_ASSERT(i == 0 || block_numbers[i - 1] < block_numbers[i], "block numbers must ascend");
  }
}

bool Subsampling::keeps(std::int64_t row) const {
  return core::seeded_hash(seed, static_cast<std::uint64_t>(row)) % one_in == 0;
}

at::Tensor kept_rows(const SampleBlocks& sample, std::size_t block,
                     const Subsampling& subsampling) {
  const at::Tensor& rows = sample.blocks[block];
  if (subsampling.one_in == 1) return rows.to(at::kFloat).contiguous();
  std::vector<std::int64_t> kept;
  for (std::int64_t row = 0; row < rows.size(0); ++row) {
    if (subsampling.keeps(sample.row_number(block, row))) kept.push_back(row);
  }
  return at::index_select(rows, 0, at::tensor(kept, at::kLong).to(rows.device())).to(at::kFloat);
}

SampleBlocks copy_to(SampleBlocks sample, at::Device device) {
  for (at::Tensor& block : sample.blocks) block = block.to(device);
  return sample;
}

SampleBlocks deal_sample(const at::Tensor& sample, std::int64_t block_rows, int rank, int ranks) {
  SampleBlocks result;
  result.total_rows = sample.size(0);
  result.block_rows = block_rows;
  result.dim = sample.size(1);
  for (std::int64_t b = rank; b < result.total_blocks(); b += ranks) {
    const std::int64_t rows = std::min(block_rows, result.total_rows - b * block_rows);
    result.blocks.push_back(sample.narrow(0, b * block_rows, rows).clone());
    result.block_numbers.push_back(b);
  }
  return result;
}

}  // namespace knnseq::index
