#include "retrieval/mixing/network_weights.hpp"

#include <cmath>

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::retrieval {

NetworkWeights random_weights(const Shapes& shapes, std::uint64_t seed) {
  at::Generator generator = at::make_generator<at::CPUGeneratorImpl>(seed);
  NetworkWeights weights;
  for (const auto& [name, shape] : shapes) {
    at::Tensor& values = weights[name] = at::zeros(shape, at::kFloat);
    if (shape.size() < 2 || shape[0] < 2) continue;
    values.normal_(0, 1 / std::sqrt(static_cast<double>(shape[1])), generator);
  }
  return weights;
}

at::Tensor read_weight(const model::SafetensorsFile& file, const std::string& name,
                       const std::vector<std::int64_t>& shape) {
  const std::string where = fmt::format("{}: tensor '{}'", file.path(), name);
  const at::Tensor tensor = file.tensor(name);
  if (tensor.scalar_type() != at::kFloat) throw core::InputError(where, "must be F32");
  if (!shape.empty() && tensor.sizes() != at::IntArrayRef(shape)) {
    throw core::InputError(
        where, fmt::format("has shape [{}], expected [{}]", fmt::join(tensor.sizes(), ", "),
                           fmt::join(shape, ", ")));
  }
  if (!std::isfinite(file.largest_magnitude(name))) {
    throw core::InputError(where, "holds a number that is not finite");
  }
  return tensor.clone();  // the file may be replaced
}

at::Tensor hidden_layer(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& bias) {
  return at::linear(input, weight, bias).tanh();
}

at::Tensor scaled_logarithm(const at::Tensor& log_probs) {
  constexpr double scale = 5, least = -4;
  return (log_probs / scale).clamp(least, 0);
}

at::Tensor best_log_probs(const at::Tensor& log_probs) { return std::get<0>(log_probs.topk(2, 1)); }

at::Tensor normalised_queries(const at::Tensor& queries) {
  return at::layer_norm(queries.to(at::kFloat), queries.size(1));
}

}  // namespace knnseq::retrieval
