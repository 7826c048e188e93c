#include "index/core/normalised.hpp"

#include <limits>

namespace knnseq::index {

at::Tensor normalised(const at::Tensor& x) {
  const at::Tensor vectors = x.to(at::kFloat).contiguous();
  return vectors / at::linalg_vector_norm(vectors, 2, 1, /*keepdim=*/true)
                       .clamp_min(std::numeric_limits<float>::min());
}

}  // namespace knnseq::index
