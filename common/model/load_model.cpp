#include "model/load_model.hpp"

#include "core/files.hpp"
#include "core/input_file.hpp"
#include "model/base/dtype.hpp"
#include "model/families/families.hpp"
#include "model/families/transformer_weights.hpp"
#include "model/safetensors/safetensors_folder.hpp"
#include "model/torchscript/torchscript_model.hpp"
#include "model/transformer/transformer.hpp"

namespace knnseq::model {

namespace {

namespace fs = std::filesystem;

constexpr const char* config_name = "config.json";
constexpr const char* generation_name = "generation_config.json";

/// Archives are files, the other models directories.
bool is_torchscript(const fs::path& path) {
  return path.extension() == ".pt" || fs::is_regular_file(path);
}

/// The options' dtype, if the device and the kind of model support it.
at::ScalarType checked_dtype(const fs::path& path, const ModelOptions& options) {
  if (!is_torchscript(path)) {
    const at::ScalarType dtype = parse_dtype(options.dtype, options.device);
    if (dtype == at::kChar && !has_int8_linear()) {
      throw core::InputError("dtype", "this libtorch has no int8 products of oneDNN: use fp32");
    }
    return dtype;
  }
  if (!options.device.is_cpu()) {
    throw core::InputError(path, "TorchScript models are run on CPUs only: set device: cpu");
  }
  if (options.dtype != "fp32" && options.dtype != "auto") {
    throw core::InputError(path, "TorchScript models are run in fp32 only, not " + options.dtype);
  }
  return at::kFloat;
}

/// What config.json and generation_config.json of the folder say.
ModelConfig read_config(const fs::path& folder, const ModelOptions& options) {
  core::require_model_path(folder);
  const core::Json config = core::read_json(folder / config_name);
  const std::string type =
      config.is_object() && config.contains("model_type") && config["model_type"].is_string()
          ? config["model_type"].get<std::string>()
          : "";
  const fs::path generation_path = folder / generation_name;
  const core::Json generation =
      fs::exists(generation_path) ? core::read_json(generation_path) : core::Json();
  std::string known;
  for (const Family& family : families) {
    known += (known.empty() ? "" : ", ") + std::string(family.model_type);
    if (type != family.model_type) continue;
    ModelConfig made = family.read(folder, config, generation);
    made.info.forced_tokens = options.forced_tokens;
    return made;
  }
  throw core::InputError(folder / config_name, "model_type: '" + type + "' is not supported; " +
                                                   known + " are, and any model as TorchScript");
}

}  // namespace

std::unique_ptr<TranslationModel> load_model(const fs::path& folder, const ModelOptions& options) {
  core::require_model_path(folder);
  const at::ScalarType dtype = checked_dtype(folder, options);
  if (is_torchscript(folder)) {
    return std::make_unique<TorchscriptModel>(folder, options.forced_tokens);
  }
  const ModelConfig config = read_config(folder, options);
  const SafetensorsFolder weights(folder);
  const auto path = options.path.value_or(gpu::compute_path_on(options.device));
  const bool int8 = dtype == at::kChar;
  const LinearKernel kernel = int8                              ? LinearKernel::int8
                              : path == gpu::ComputePath::torch ? LinearKernel::fused
                                                                : best_linear_kernel();
  TransformerParts parts =
      read_transformer(config, weights, {int8 ? at::kFloat : dtype, options.device, kernel});
  return make_transformer(std::move(parts), path);
}

ModelInfo read_model_info(const fs::path& folder, const ModelOptions& options) {
  checked_dtype(folder, options);
  if (is_torchscript(folder)) return read_torchscript_facts(folder, options.forced_tokens);
  return read_config(folder, options).info;
}

void check_weights(const fs::path& folder) {
  if (!is_torchscript(folder)) SafetensorsFolder{folder};
}

std::vector<fs::path> model_files(const fs::path& folder) {
  core::require_model_path(folder);
  if (is_torchscript(folder)) return {folder};
  if (!fs::exists(folder / config_name)) throw core::InputError(folder / config_name, "is missing");
  std::vector<fs::path> files = {folder / config_name};
  if (fs::exists(folder / generation_name)) files.push_back(folder / generation_name);
  for (auto& path : safetensors_files(folder)) files.push_back(path);
  return files;
}

}  // namespace knnseq::model
