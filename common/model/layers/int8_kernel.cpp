#include "model/layers/int8_kernel.hpp"

#include "core/compiled_for.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t together = 64;
constexpr std::uint8_t zero = 128;

float largest(const float* values, std::int64_t count) {
  constexpr std::int64_t lanes = 2 * core::float_lanes;
  float lane[lanes] = {};
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    for (std::int64_t l = 0; l < lanes; ++l) {
      const float value = __builtin_fabsf(values[i + l]);
      lane[l] = value > lane[l] ? value : lane[l];
    }
  }
  for (; i < count; ++i) {
    const float value = __builtin_fabsf(values[i]);
    lane[0] = value > lane[0] ? value : lane[0];
  }
  for (std::int64_t l = 1; l < lanes; ++l) lane[0] = lane[l] > lane[0] ? lane[l] : lane[0];
  return lane[0];
}

inline std::uint8_t rounded(float value) {
  constexpr float integers = 12582912.0f;  // 1.5·2²³: adding it leaves an integer in the low bits
  return static_cast<std::uint8_t>(__builtin_bit_cast(std::uint32_t, value + integers) + zero);
}

void round(const float* values, std::int64_t count, float factor, std::uint8_t* out) {
  std::int64_t i = 0;
  for (; i + together <= count; i += together) {
    std::uint8_t bytes[together];  // which, unlike `out`, cannot be where the values are
    for (std::int64_t l = 0; l < together; ++l) bytes[l] = rounded(values[i + l] * factor);
    __builtin_memcpy(out + i, bytes, together);
  }
  for (; i < count; ++i) out[i] = rounded(values[i] * factor);
}

}  // namespace

template <>
Int8Kernel int8_kernel<core::compiled_for>() {
  return {core::compiled_for, largest, round};
}

}  // namespace knnseq::model
