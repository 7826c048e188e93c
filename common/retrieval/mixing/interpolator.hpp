// Interpolation of the two distributions on whichever device they are.
#pragma once

#include <cstdint>

#include <ATen/ATen.h>

#include "retrieval/exchange/neighbours.hpp"

namespace knnseq::retrieval {

struct KnnOptions;

/// Chooses between interpolate() on the CPU and interpolate_tensors() on a GPU, where tokens are
/// checked when check() is called: asking a GPU at every step would make it wait for the host.
class Interpolator {
 public:
  /// log_probs [q, V] (fp32, contiguous), changed in place; the neighbours are on the same device.
  /// Throws core::InputError where a neighbour's token is not in the vocabulary: on the CPU now, on
  /// a GPU from check().
  void interpolate(at::Tensor& log_probs, const Neighbours& found, const KnnOptions& options);

  /// Before anything is made of the results. Throws core::InputError; waits for the device.
  void check();

 private:
  std::int64_t vocabulary_ = 0;
  at::Tensor greatest_;  ///< int64 []: of all tokens since check(), on the device
};

}  // namespace knnseq::retrieval
