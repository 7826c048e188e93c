#include "model/safetensors/largest_magnitude.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include <c10/util/BFloat16.h>
#include <c10/util/Half.h>

#include "core/error.hpp"

namespace knnseq::model {

namespace {

/// Without their sign the bits of floating-point numbers are in the order of their magnitudes, with
/// infinity above all numbers and NaN above infinity; and comparisons do not wait for one another.
template <class Bits>
Bits largest_bits(std::span<const std::byte> numbers) {
  constexpr Bits no_sign = std::numeric_limits<Bits>::max();  // signed: compared by any SIMD
  Bits largest = 0;
  for (std::size_t i = 0; i + sizeof(Bits) <= numbers.size(); i += sizeof(Bits)) {
    Bits bits = 0;
    std::memcpy(&bits, numbers.data() + i, sizeof bits);
    largest = std::max(largest, static_cast<Bits>(bits & no_sign));
  }
  return largest;
}

}  // namespace

double largest_magnitude(std::span<const std::byte> numbers, at::ScalarType dtype) {
  switch (dtype) {
    case at::kDouble:
      return std::bit_cast<double>(largest_bits<std::int64_t>(numbers));
    case at::kFloat:
      return std::bit_cast<float>(largest_bits<std::int32_t>(numbers));
    case at::kHalf:
      return c10::Half(static_cast<std::uint16_t>(largest_bits<std::int16_t>(numbers)),
                       c10::Half::from_bits());
    case at::kBFloat16:
      return c10::BFloat16(static_cast<std::uint16_t>(largest_bits<std::int16_t>(numbers)),
                           c10::BFloat16::from_bits());
    default:
      KNNSEQ_ASSERT(false, "floating-point numbers have magnitudes");
  }
}

}  // namespace knnseq::model
