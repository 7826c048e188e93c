// What a training has to remember to resume after an interruption.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// The steps in their order.
enum class TrainStep : std::int64_t { transform = 0, coarse = 1, quantizer = 2, done = 3 };

struct TrainState {
  std::uint64_t identity = 0;  ///< hash of what is trained from what: spec, options and sample
  TrainStep step = TrainStep::transform;
  std::int64_t iterations = 0;    ///< done in this step
  double mean_squared_error = 0;  ///< in the last of them
  bool converged = false;         ///< OPQ is done
  at::Tensor rotation;            ///< each fp32, or undefined so far
  at::Tensor bias;
  at::Tensor coarse_centroids;
  at::Tensor pq_centroids;
};

/// As bytes with a checksum.
std::vector<std::byte> to_bytes(const TrainState& state);

/// Throws core::InputError if the bytes are damaged or are not those of a TrainState.
TrainState train_state_from(std::span<const std::byte> bytes);

/// Throws core::InputError if a tensor that is needed to resume a training of this kind is missing,
/// has another shape or is not finite.
void require_fits(const TrainState& state, const IndexSpec& spec);

}  // namespace knnseq::index
