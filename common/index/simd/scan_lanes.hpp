// Vectors of the scan's kernels. GCC 12 can convert and subscript vectors only if their size is not
// a template's parameter, so each width is written out.
#pragma once

#include <cstdint>

namespace knnseq::index {

struct ScanLanes4 {
  static constexpr int lanes = 4;
  using Floats [[gnu::vector_size(4 * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(4 * sizeof(std::int32_t))]] = std::int32_t;
  using Bytes [[gnu::vector_size(4)]] = std::uint8_t;
};

struct ScanLanes8 {
  static constexpr int lanes = 8;
  using Floats [[gnu::vector_size(8 * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(8 * sizeof(std::int32_t))]] = std::int32_t;
  using Bytes [[gnu::vector_size(8)]] = std::uint8_t;
};

struct ScanLanes16 {
  static constexpr int lanes = 16;
  using Floats [[gnu::vector_size(16 * sizeof(float))]] = float;
  using Ints [[gnu::vector_size(16 * sizeof(std::int32_t))]] = std::int32_t;
  using Bytes [[gnu::vector_size(16)]] = std::uint8_t;
};

}  // namespace knnseq::index
