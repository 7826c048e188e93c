// How many rows of the sample each step of a training uses.
#pragma once

#include <cstdint>

#include "index/core/index_spec.hpp"
#include "index/train/train_options.hpp"

namespace knnseq::index {

struct StepRows {
  std::int64_t transform = 0;  ///< OPQ or PCA
  std::int64_t coarse = 0;     ///< coarse k-means
  std::int64_t quantizer = 0;  ///< the product quantiser
  /// Rows rotated for the steps after the transform.
  std::int64_t rotated() const;
};

/// For a sample of `rows`; 0 if the index lacks the step, but at least one rotated row is kept.
StepRows step_rows(const IndexSpec& spec, const TrainOptions& options, std::int64_t rows);

}  // namespace knnseq::index
