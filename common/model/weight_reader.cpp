#include "model/weight_reader.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::model {

at::Tensor WeightReader::tensor(const std::string& name, const std::vector<std::int64_t>& shape) {
  const at::Tensor raw = file_.tensor(name);
  taken_.insert(name);
  const auto where = fmt::format("{}: tensor '{}'", file_.path(), name);
  if (raw.sizes() != at::IntArrayRef(shape)) {
    throw core::InputError(
        where, fmt::format("has shape [{}], not [{}]", fmt::join(raw.sizes().vec(), ", "),
                           fmt::join(shape, ", ")));
  }
  if (!at::isFloatingType(raw.scalar_type())) {
    throw core::InputError(where, "holds integers, not weights");
  }
  return raw.to(at::kFloat);
}

Linear WeightReader::linear(const std::string& prefix, std::int64_t out, std::int64_t in) {
  const at::Tensor weight = tensor(prefix + ".weight", {out, in});
  return {weight, tensor(prefix + ".bias", {out})};
}

Linear WeightReader::joined(const std::vector<std::string>& prefixes, std::int64_t width) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const auto& prefix : prefixes) {
    weights.push_back(tensor(prefix + ".weight", {width, width}));
    biases.push_back(tensor(prefix + ".bias", {width}));
  }
  return {at::cat(weights), at::cat(biases)};
}

LayerNorm WeightReader::layer_norm(const std::string& prefix, std::int64_t width, double epsilon) {
  const at::Tensor weight = tensor(prefix + ".weight", {width});
  return {weight, tensor(prefix + ".bias", {width}), epsilon};
}

void WeightReader::finish() const {
  std::vector<std::string> unknown;
  for (const auto& name : file_.names()) {
    if (!taken_.contains(name)) unknown.push_back(name);
  }
  if (!unknown.empty()) {
    throw core::InputError(file_.path(), fmt::format("unknown tensors, which this model would not "
                                                     "use: {}",
                                                     fmt::join(unknown, ", ")));
  }
}

}  // namespace knnseq::model
