// Vectors to measure with.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <ATen/ATen.h>
#include <ATen/CPUGeneratorImpl.h>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "index/sample/sample_blocks.hpp"

namespace knnseq::benchmarks {

inline constexpr std::int64_t block_rows = 4096;

inline at::Tensor normal(std::uint64_t seed, at::IntArrayRef shape) {
  return at::randn(shape, at::detail::createCPUGenerator(seed));
}

/// Vectors of a file, or random ones that need no file: a mixture of 4,000 normal distributions in
/// a space of 64 dimensions, and a little noise beside it.
struct Vectors {
  std::string path;  ///< raw fp16 [rows, width], or "random"
  std::int64_t rows = 0;
  std::int64_t width = 0;

  at::Tensor read(core::Range range) const {
    if (path != "random") return from_file(range);
    std::vector<at::Tensor> parts;
    for (std::int64_t b = range.begin / block_rows; b * block_rows < range.end; ++b) {
      const std::int64_t first = std::max(range.begin - b * block_rows, std::int64_t{0});
      parts.push_back(random_block(b).slice(0, first, range.end - b * block_rows));
    }
    return parts.empty() ? at::empty({0, width}, at::kHalf) : at::cat(parts);
  }

  at::Tensor random_block(std::int64_t number) const {
    constexpr std::int64_t rank = 64;
    static const at::Tensor mix = normal(1, {rank, width}) / std::sqrt(static_cast<double>(rank));
    static const at::Tensor centres = normal(2, {4000, rank});
    const auto seed = static_cast<std::uint64_t>(number) + 3;
    const at::Tensor which = at::randint(
        0, 4000, {block_rows}, at::detail::createCPUGenerator(seed), at::TensorOptions(at::kLong));
    const at::Tensor inner =
        at::index_select(centres, 0, which) + 0.5 * normal(seed << 32U, {block_rows, rank});
    return at::addmm(normal((seed << 32U) + 1, {block_rows, width}), inner, mix, /*beta=*/0.05)
        .to(at::kHalf);
  }

  at::Tensor from_file(core::Range range) const {
    at::Tensor result = at::empty({range.size(), width}, at::kHalf);
    std::ifstream file(path, std::ios::binary);
    file.seekg(range.begin * width * 2);
    file.read(static_cast<char*>(result.mutable_data_ptr()),
              static_cast<std::streamsize>(result.nbytes()));
    if (!file) throw std::runtime_error(path + " cannot be read");
    return result;
  }

  index::SampleBlocks sample(const comm::Communicator& comm) const {
    index::SampleBlocks sample;
    sample.total_rows = rows;
    sample.dim = width;
    for (std::int64_t b = comm.rank(); b < sample.total_blocks(); b += comm.size()) {
      const std::int64_t first = b * sample.block_rows;
      sample.blocks.push_back(read({first, std::min(first + sample.block_rows, rows)}));
      sample.block_numbers.push_back(b);
    }
    return sample;
  }
};

}  // namespace knnseq::benchmarks
