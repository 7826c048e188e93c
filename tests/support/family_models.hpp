// The tiny models of all families, each in a directory of tests/data/models.
#pragma once

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "core/files.hpp"
#include "model/load_model.hpp"

namespace knnseq::test {

/// One directory: a model as a person has it, expected.safetensors and beam.json (see
/// tests/support/model_reference.py for what they hold).
struct FamilyModel {
  std::filesystem::path folder;
  core::Json beam;
  std::unique_ptr<model::TranslationModel> model;

  /// On the CPU, by either path.
  explicit FamilyModel(const std::filesystem::path& directory,
                       gpu::ComputePath path = gpu::ComputePath::cpu)
      : folder(directory), beam(core::read_json(directory / "beam.json")) {
    model::ModelOptions options;
    options.forced_tokens = beam.value("forced", std::vector<core::TokenId>());
    options.path = path;
    model = model::load_model(folder, options);
  }
};

inline std::vector<std::filesystem::path> family_folders() {
  std::vector<std::filesystem::path> folders;
  const auto root = std::filesystem::path(KNNSEQ_SOURCE_DIR) / "tests/data/models";
  for (const auto& entry : std::filesystem::directory_iterator(root)) {
    if (entry.is_directory()) folders.push_back(entry.path());
  }
  std::ranges::sort(folders);
  return folders;
}

}  // namespace knnseq::test
