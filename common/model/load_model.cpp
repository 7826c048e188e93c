#include "model/load_model.hpp"

#include "core/files.hpp"
#include "model/marian_config.hpp"
#include "model/marian_weights.hpp"
#include "model/native_transformer.hpp"

namespace knnseq::model {

namespace {

constexpr const char* config_name = "config.json";
constexpr const char* generation_name = "generation_config.json";
constexpr const char* weights_name = "model.safetensors";

/// What config.json and generation_config.json of the folder say.
MarianConfig read_config(const std::filesystem::path& folder) {
  const core::Json config = core::read_json(folder / config_name);
  const std::string family =
      config.is_object() && config.contains("model_type") && config["model_type"].is_string()
          ? config["model_type"].get<std::string>()
          : "";
  if (family != "marian") {
    throw core::InputError(folder / config_name,
                           "model_type: '" + family + "' is not supported; marian is");
  }
  const auto generation_path = folder / generation_name;
  const core::Json generation =
      std::filesystem::exists(generation_path) ? core::read_json(generation_path) : core::Json();
  return read_marian_config(folder, config, generation);
}

}  // namespace

void ModelOptions::validate() const {
  if (dtype != "fp32") {
    throw core::InputError("dtype", "'" + dtype + "' is not supported; only fp32 is so far");
  }
}

std::unique_ptr<TranslationModel> load_model(const std::filesystem::path& folder,
                                             const ModelOptions& options) {
  options.validate();
  const MarianConfig marian = read_config(folder);
  const SafetensorsFile weights(folder / weights_name);
  return std::make_unique<NativeTransformer>(read_marian_weights(marian, weights));
}

ModelInfo read_model_info(const std::filesystem::path& folder) { return read_config(folder).info; }

std::vector<std::filesystem::path> model_files(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> files;
  for (const char* name : {config_name, generation_name, weights_name}) {
    const auto path = folder / name;
    if (std::filesystem::exists(path)) {
      files.push_back(path);
    } else if (name != generation_name) {
      throw core::InputError(path, "is missing");
    }
  }
  return files;
}

}  // namespace knnseq::model
