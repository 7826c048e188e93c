#include "index/core/distance_keys.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t position_bits = 32;

/// Read as integers, floats ≥ 0 ascend with their value, and negative ones descend; this flips the
/// latter. Its own inverse. int64, of 32 bits.
at::Tensor turned(const at::Tensor& bits) {
  return at::where(bits >= 0, bits,
                   std::int64_t{std::numeric_limits<std::int32_t>::min()} - 1 - bits);
}

}  // namespace

at::Tensor all_distance_keys(const at::Tensor& distances, const at::Tensor& positions) {
  const at::Tensor bits = (distances + 0.0F).view(at::kInt).to(at::kLong);  // −0 counts as 0
  return turned(bits).bitwise_left_shift(position_bits) + positions;
}

at::Tensor distance_keys(const at::Tensor& distances, const at::Tensor& positions) {
  return all_distance_keys(distances, positions)
      .masked_fill_(distances.isfinite().logical_not_(), no_distance_key);
}

at::Tensor distances_of_keys(const at::Tensor& keys) {
  return turned(keys.bitwise_right_shift(position_bits))
      .to(at::kInt)
      .view(at::kFloat)
      .masked_fill_(keys == no_distance_key, std::numeric_limits<float>::infinity());
}

at::Tensor positions_of_keys(const at::Tensor& keys) {
  return keys.bitwise_and(std::int64_t{std::numeric_limits<std::uint32_t>::max()})
      .masked_fill_(keys == no_distance_key, 0);
}

}  // namespace knnseq::index
