#include "retrieval/mixing/interpolator.hpp"

#include <utility>

#include "retrieval/mixing/knn_distribution.hpp"
#include "retrieval/mixing/tensor_distribution.hpp"

namespace knnseq::retrieval {

void Interpolator::interpolate(at::Tensor& log_probs, const Neighbours& found,
                               const KnnOptions& options) {
  if (log_probs.is_cpu())
    return retrieval::interpolate(log_probs, found.scores, found.ids, options);
  vocabulary_ = log_probs.size(1);
  const at::Tensor greatest = interpolate_tensors(log_probs, found.scores, found.ids, options);
  greatest_ = greatest_.defined() ? at::maximum(greatest_, greatest) : greatest;
}

void Interpolator::check() {
  if (!greatest_.defined()) return;
  const auto greatest = std::exchange(greatest_, {}).item<std::int64_t>();
  if (greatest >= 0) require_in_vocabulary(greatest, vocabulary_);
}

}  // namespace knnseq::retrieval
