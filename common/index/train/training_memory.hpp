// Whether a training fits a device's memory, checked before its sample is read.
#pragma once

#include <cstdint>
#include <string>

#include "index/core/index_spec.hpp"
#include "index/train/train_options.hpp"

namespace knnseq::index {

/// Bytes of device memory that train_codebook() takes by gpu::ComputePath::torch, on the rank with
/// most of a sample of `rows` distributed over `ranks`: its part in fp32 as the steps use it, one
/// copy of it where coarse k-means uses fewer rows than what follows, centroids with their sums
/// and, in bf16, their bounds, 256 MiB of products and as much for the libraries. Grows with rows,
/// falls with ranks. value_bytes: of a number of the sample, as it is stored.
std::int64_t training_device_bytes(const IndexSpec& spec, const TrainOptions& options,
                                   std::int64_t rows, int ranks, std::int64_t value_bytes = 2);

/// The resources of a training.
struct DeviceBudget {
  std::int64_t rows = 0;  ///< of the whole sample
  int ranks = 1;
  std::int64_t free_bytes = 0;   ///< of device memory, for this rank
  std::string sample_key;        ///< of the config: what the size of the sample is set by
  std::int64_t value_bytes = 2;  ///< of a number of the sample, as it is stored
};

/// Throws core::InputError if the training needs more than that, naming the largest sample and the
/// smallest number of ranks that would fit, if any.
void require_fits(const IndexSpec& spec, const TrainOptions& options, const DeviceBudget& room);

}  // namespace knnseq::index
