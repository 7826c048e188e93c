#include "model/families/weight_reader.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/allocator.hpp"
#include "core/error.hpp"

namespace knnseq::model {

namespace {

/// The largest magnitude, ignoring −∞, which a bias may hold.
double largest_of_bias(const at::Tensor& raw) {
  const at::Tensor values = raw.to(at::kDouble);
  const at::Tensor off = values == -std::numeric_limits<double>::infinity();
  return values.masked_fill(off, 0.0).abs().max().item<double>();
}

/// The largest finite number; what is beyond it becomes infinite.
double largest_in(at::ScalarType dtype) {
  return dtype == at::kHalf ? 65504.0
                            : static_cast<double>(std::numeric_limits<at::BFloat16>::max());
}

}  // namespace

void WeightReader::check_values(const std::string& name, const at::Tensor& raw,
                                at::ScalarType dtype, Values values) {
  if (raw.numel() == 0) return;
  auto found = largest_.find(name);
  if (found == largest_.end()) {
    const double largest =
        values == Values::finite ? files_.largest_magnitude(name) : largest_of_bias(raw);
    found = largest_.emplace(name, largest).first;
  }
  if (!std::isfinite(found->second)) {
    throw core::InputError(files_.where(name),
                           fmt::format("holds {}: the file is damaged, or the training failed",
                                       std::isnan(found->second) ? "NaN" : "an infinite number"));
  }
  if (found->second > largest_in(dtype)) {
    throw core::InputError(
        files_.where(name),
        fmt::format("holds a number of magnitude {:g}, which {} cannot hold: choose another dtype",
                    found->second, c10::toString(dtype)));
  }
}

at::Tensor WeightReader::view(const std::string& name, const std::vector<std::int64_t>& shape,
                              at::ScalarType dtype, Values values) {
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
  check_values(name, raw, dtype, values);
  return raw;
}

at::Tensor WeightReader::table(const std::string& name, const std::vector<std::int64_t>& shape) {
  return view(name, shape, at::kFloat).to(target_.device);
}

at::Tensor WeightReader::converted(const std::string& name,
                                   const std::vector<std::int64_t>& shape) {
  return view(name, shape, target_.dtype).to(target_.device).to(target_.dtype);
}

at::Tensor WeightReader::copy(const std::string& name, const std::vector<std::int64_t>& shape,
                              at::ScalarType dtype, Values values) {
  at::Tensor made = view(name, shape, dtype, values)
                        .to(target_.device, dtype, /*non_blocking=*/false, /*copy=*/true);
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
    weights.push_back(converted(prefix + ".weight", {out, in}));
    biases.push_back(copy(prefix + ".bias", {out}, target_.dtype));
  }
  // A single weight of the right dtype is packed straight from the file.
  Linear made(weights.size() == 1 ? weights.front() : at::cat(weights), at::cat(biases),
              target_.kernel);
  weights.clear();
  for (const auto& prefix : prefixes) files_.release(prefix + ".weight");
  core::release_freed_memory();  // the peak would grow with every layer
  return made;
}

Linear WeightReader::projection(const std::string& name, const std::vector<std::int64_t>& shape,
                                const std::string& bias) {
  const auto options = at::TensorOptions(target_.dtype).device(target_.device);
  const at::Tensor offsets =
      bias.empty() ? at::zeros({shape[0]}, options)
                   : copy(bias, {1, shape[0]}, target_.dtype, Values::minus_infinity_too)[0];
  Linear made(converted(name, shape), offsets, target_.kernel);
  files_.release(name);
  return made;
}

LayerNorm WeightReader::layer_norm(const std::string& prefix, std::int64_t width, double epsilon,
                                   at::ScalarType input) {
  const at::ScalarType dtype = target_.device.is_cpu() ? at::kFloat : input;
  const at::Tensor weight = copy(prefix + ".weight", {width}, dtype);
  return {weight, copy(prefix + ".bias", {width}, dtype), epsilon};
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
