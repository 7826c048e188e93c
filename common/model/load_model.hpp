// Opens a model directory.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "model/translation_model.hpp"

namespace knnseq::model {

struct ModelOptions {
  std::string dtype = "fp32";  ///< dtype of weights and arithmetic; only fp32 so far

  void validate() const;  ///< throws InputError
};

/// Loads a directory of config.json, model.safetensors and, where there is one,
/// generation_config.json. Hugging Face's Marian layout is known.
/// Throws InputError naming file and key or tensor where something is missing, damaged or asks for
/// what is not supported.
std::unique_ptr<TranslationModel> load_model(const std::filesystem::path& folder,
                                             const ModelOptions& options = {});

/// What a model directory says of itself, without loading its weights. Throws InputError.
ModelInfo read_model_info(const std::filesystem::path& folder);

/// The files that decide what the model computes, for fingerprints: config.json,
/// generation_config.json where there is one, model.safetensors. Throws InputError where one of the
/// others is missing.
std::vector<std::filesystem::path> model_files(const std::filesystem::path& folder);

}  // namespace knnseq::model
