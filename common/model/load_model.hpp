// Opens a model directory or a TorchScript archive.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "gpu/compute_path.hpp"
#include "model/base/translation_model.hpp"

namespace knnseq::model {

struct ModelOptions {
  std::string dtype = "auto";               ///< of weights and matrix products (parse_dtype())
  std::vector<TokenId> forced_tokens = {};  ///< see ModelInfo; the tokeniser knows them
  at::Device device = at::kCPU;
  /// Unless given, that of the device; others are for tests.
  std::optional<gpu::ComputePath> path = std::nullopt;
};

/// Loads a directory of config.json, generation_config.json if there is one, and
/// model.safetensors, whole or in parts with its index, of the families Marian, M2M100 (also
/// NLLB-200) and imported fairseq. Or a TorchScript archive, which is a file (docs/torchscript.md);
/// it is run on CPUs and in fp32 only. Throws InputError naming file and key or tensor if
/// something is missing, damaged or asks for what is not supported, or the device cannot run the
/// dtype well.
std::unique_ptr<TranslationModel> load_model(const std::filesystem::path& folder,
                                             const ModelOptions& options = {});

/// What a model directory or archive says of itself, without loading its weights. Throws
/// InputError.
ModelInfo read_model_info(const std::filesystem::path& folder, const ModelOptions& options = {});

/// Reads the headers of the model's weights, which say what they hold and how large they are.
/// Throws InputError if a file is missing, cut short or malformed.
void check_weights(const std::filesystem::path& folder);

/// The files that decide what the model computes, for fingerprints: config.json,
/// generation_config.json if there is one, the weights; or the archive. Throws InputError if
/// one of the others is missing.
std::vector<std::filesystem::path> model_files(const std::filesystem::path& folder);

}  // namespace knnseq::model
