// Distance and position packed into one integer, so that selections leave no tie to
// chance.
#pragma once

#include <cstdint>
#include <limits>

#include <ATen/ATen.h>

namespace knnseq::index {

/// Greater than all keys.
inline constexpr std::int64_t no_distance_key = std::numeric_limits<std::int64_t>::max();

/// int64 keys whose order is that of (distance, position): fp32 distances, and int64 positions
/// below 2^31 that can be broadcast to them. NaN comes before −∞ or after ∞.
at::Tensor all_distance_keys(const at::Tensor& distances, const at::Tensor& positions);

/// The same, but infinite distances and NaN give no_distance_key.
at::Tensor distance_keys(const at::Tensor& distances, const at::Tensor& positions);

/// The fp32 distances that keys hold; infinity for no_distance_key.
at::Tensor distances_of_keys(const at::Tensor& keys);

/// Likewise the positions, int64; 0 for no_distance_key.
at::Tensor positions_of_keys(const at::Tensor& keys);

}  // namespace knnseq::index
