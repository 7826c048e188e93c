// All weights of a model directory, in one file or several.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "model/safetensors/safetensors.hpp"

namespace knnseq::model {

/// model.safetensors, or the files that model.safetensors.index.json names.
class SafetensorsFolder {
 public:
  /// Throws InputError naming file and tensor if something is missing or malformed, an index
  /// and its files do not agree, or there are only weights that must be converted first.
  explicit SafetensorsFolder(const std::filesystem::path& folder);

  bool contains(const std::string& name) const { return places_.contains(name); }
  std::vector<std::string> names() const;  ///< ascending

  /// "file: tensor 'name'", for messages.
  std::string where(const std::string& name) const;

  /// As SafetensorsFile's.
  at::Tensor tensor(const std::string& name) const;
  double largest_magnitude(const std::string& name) const;
  void release(const std::string& name) const;

 private:
  const SafetensorsFile& file_of(const std::string& name) const;

  std::string main_file_;  ///< the only file, or the index
  std::vector<SafetensorsFile> files_;
  std::map<std::string, std::size_t> places_;  ///< tensor to file
};

/// Its files, for fingerprints: the index, if any, then the weights. Throws as the constructor.
std::vector<std::filesystem::path> safetensors_files(const std::filesystem::path& folder);

}  // namespace knnseq::model
