// Views that carry their shape.
#pragma once

#include <cstdint>
#include <span>

namespace knnseq::core {

/// Row-major matrix [rows, columns] that someone else owns.
template <class T>
struct MatrixView {
  T* data = nullptr;
  std::int64_t rows = 0;
  std::int64_t columns = 0;

  std::span<T> row(std::int64_t i) const {
    return {data + i * columns, static_cast<std::size_t>(columns)};
  }
  std::span<T> all() const { return {data, static_cast<std::size_t>(rows * columns)}; }
};

}  // namespace knnseq::core
