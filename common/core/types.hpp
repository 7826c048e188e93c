// Small vocabulary types and the checked narrowing cast.
#pragma once

#include <cstdint>
#include <utility>

#include "core/error.hpp"

namespace knnseq::core {

/// Token of a vocabulary, as models and datastores number it.
using TokenId = std::int32_t;

/// Converts between integer types; throws std::logic_error if the value does not fit.
template <class To, class From>
To narrow(From value) {
  KNNSEQ_ASSERT(std::in_range<To>(value), "integer out of range");
  return static_cast<To>(value);
}

/// ceil(a / b) for non-negative a and positive b.
constexpr std::int64_t ceil_div(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Half-open range of int64.
struct Range {
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Range&) const = default;
};

/// The part-th of `parts` nearly equal consecutive pieces of [0, total).
inline Range even_part(std::int64_t total, std::int64_t part, std::int64_t parts) {
  const auto cut = [&](std::int64_t i) { return total / parts * i + total % parts * i / parts; };
  return {cut(part), cut(part + 1)};
}

}  // namespace knnseq::core
