#include "model/weight_reader.hpp"

#include <ATen/ATen.h>
#include <fmt/format.h>
#include <malloc.h>

#include "core/error.hpp"

namespace knnseq::model {

at::Tensor WeightReader::table(const std::string& name, const std::vector<std::int64_t>& shape) {
  const at::Tensor raw = files_.tensor(name);
  taken_.insert(name);
  if (raw.sizes() != at::IntArrayRef(shape)) {
    throw core::InputError(files_.where(name),
                           fmt::format("has shape [{}], not [{}]",
                                       fmt::join(raw.sizes().vec(), ", "), fmt::join(shape, ", ")));
  }
  if (!at::isFloatingType(raw.scalar_type())) {
    throw core::InputError(files_.where(name), "holds integers, not weights");
  }
  return raw;
}

at::Tensor WeightReader::copy(const std::string& name, const std::vector<std::int64_t>& shape,
                              at::ScalarType dtype) {
  at::Tensor made = table(name, shape).to(dtype, /*non_blocking=*/false, /*copy=*/true);
  files_.release(name);
  return made;
}

Linear WeightReader::linear(const std::string& prefix, std::int64_t out, std::int64_t in) {
  return joined({prefix}, out, in);
}

Linear WeightReader::joined(const std::vector<std::string>& prefixes, std::int64_t out,
                            std::int64_t in) {
  std::vector<at::Tensor> weights;
  std::vector<at::Tensor> biases;
  for (const auto& prefix : prefixes) {
    weights.push_back(table(prefix + ".weight", {out, in}).to(dtype_));
    biases.push_back(copy(prefix + ".bias", {out}, dtype_));
  }
  // A single weight of the right dtype is packed straight from the file.
  Linear made(weights.size() == 1 ? weights.front() : at::cat(weights), at::cat(biases));
  weights.clear();
  for (const auto& prefix : prefixes) files_.release(prefix + ".weight");
  ::malloc_trim(0);  // glibc would keep what was freed, and the peak would grow with every layer
  return made;
}

Linear WeightReader::projection(const std::string& name, const std::vector<std::int64_t>& shape,
                                const std::string& bias) {
  const at::Tensor offsets =
      bias.empty() ? at::zeros({shape[0]}, dtype_) : copy(bias, {1, shape[0]}, dtype_)[0];
  Linear made(table(name, shape).to(dtype_), offsets);
  files_.release(name);
  return made;
}

LayerNorm WeightReader::layer_norm(const std::string& prefix, std::int64_t width, double epsilon) {
  const at::Tensor weight = copy(prefix + ".weight", {width}, at::kFloat);
  return {weight, copy(prefix + ".bias", {width}, at::kFloat), epsilon};
}

void WeightReader::finish() const {
  std::vector<std::string> unknown;
  for (const auto& name : files_.names()) {
    if (!taken_.contains(name)) unknown.push_back(name);
  }
  if (!unknown.empty()) {
    throw core::InputError(files_.where(unknown.front()),
                           fmt::format("unknown tensors, which this model would not use: {}",
                                       fmt::join(unknown, ", ")));
  }
}

}  // namespace knnseq::model
