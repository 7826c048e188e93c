#include "model/torchscript/torchscript_load.hpp"

#include <cmath>
#include <limits>

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <torch/csrc/jit/serialization/import.h>

#include "core/error.hpp"
#include "core/file_kind.hpp"
#include "core/input_file.hpp"
#include "model/torchscript/torchscript_text.hpp"

namespace knnseq::model {

namespace {

void check_parameters(const torch::jit::Module& module, const std::filesystem::path& file) {
  const at::NoGradGuard no_grad;
  for (const auto& parameter : module.named_parameters()) {
    const at::Tensor& values = parameter.value;
    if (!values.is_floating_point() || values.numel() == 0) continue;
    const double largest = values.max().item<double>();  // NaN if one of them is
    if (!std::isnan(largest) && largest < std::numeric_limits<double>::infinity()) continue;
    throw core::InputError(fmt::format("{}: parameter '{}'", file.string(), parameter.name),
                           fmt::format("holds {}: the file is damaged, or the training failed",
                                       std::isnan(largest) ? "NaN" : "an infinite number"));
  }
}

}  // namespace

void require_archive(const std::filesystem::path& file) {
  if (!std::filesystem::exists(file)) throw core::InputError(file, "is missing");
  const std::string head = core::read_head(file, core::head_bytes);
  if (head.starts_with("PK")) return;  // archives are zip archives
  core::refuse_foreign(file, head);
  if (file.extension() == ".safetensors") {
    throw core::InputError(file, "is no TorchScript archive; of other models give the directory");
  }
}

torch::jit::Module load_script(const std::filesystem::path& file) {
  require_archive(file);
  torch::jit::Module module;
  try {
    module = torch::jit::load(file.string(), at::kCPU, false);
    module.eval();
  } catch (const std::exception& error) {
    throw core::InputError(file, "is damaged or no TorchScript archive: " + what_failed(error));
  }
  check_parameters(module, file);
  return module;
}

}  // namespace knnseq::model
