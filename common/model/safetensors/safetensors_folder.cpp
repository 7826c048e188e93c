#include "model/safetensors/safetensors_folder.hpp"

#include <set>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"

namespace knnseq::model {

namespace {

namespace fs = std::filesystem;

constexpr const char* whole_name = "model.safetensors";
constexpr const char* index_name = "model.safetensors.index.json";

/// Tensor to file name, as the index says.
std::map<std::string, std::string> read_index(const fs::path& path) {
  const core::Json index = core::read_json(path);
  if (!index.is_object() || !index.contains("weight_map") || !index["weight_map"].is_object()) {
    throw core::InputError(path, "'weight_map' is missing or not an object");
  }
  std::map<std::string, std::string> places;
  for (const auto& [tensor, file] : index["weight_map"].items()) {
    const bool plain = file.is_string() && !file.get_ref<const std::string&>().empty() &&
                       fs::path(file.get<std::string>()).filename() == file.get<std::string>();
    if (!plain) {
      throw core::InputError(
          path, fmt::format("tensor '{}': {} is not a file name", tensor, file.dump()));
    }
    places[tensor] = file.get<std::string>();
  }
  return places;
}

[[noreturn]] void report_no_weights(const fs::path& folder) {
  for (const char* other : {"pytorch_model.bin", "pytorch_model.bin.index.json"}) {
    if (!fs::exists(folder / other)) continue;
    throw core::InputError(folder / whole_name,
                           fmt::format("is missing; convert {} with: scripts/to_safetensors.py {}",
                                       other, folder.string()));
  }
  throw core::InputError(folder / whole_name, "is missing");
}

}  // namespace

std::vector<fs::path> safetensors_files(const fs::path& folder) {
  if (fs::exists(folder / whole_name)) return {folder / whole_name};
  if (!fs::exists(folder / index_name)) report_no_weights(folder);
  std::set<std::string> names;
  for (const auto& [tensor, file] : read_index(folder / index_name)) names.insert(file);
  std::vector<fs::path> files = {folder / index_name};
  for (const auto& name : names) files.push_back(folder / name);
  return files;
}

SafetensorsFolder::SafetensorsFolder(const fs::path& folder) {
  auto paths = safetensors_files(folder);
  main_file_ = paths.front();
  const bool indexed = paths.front().filename() == index_name;
  if (indexed) paths.erase(paths.begin());
  for (const auto& path : paths) {
    files_.emplace_back(path);
    for (const auto& name : files_.back().names()) {
      const bool fresh = places_.emplace(name, files_.size() - 1).second;
      if (!fresh) throw core::InputError(where(name), "stands in " + path.string() + " too");
    }
  }
  if (!indexed) return;
  for (const auto& [name, file] : read_index(main_file_)) {
    const auto found = places_.find(name);
    if (found == places_.end() || files_[found->second].path() != folder / file) {
      throw core::InputError(fmt::format("{}: tensor '{}'", (folder / file).string(), name),
                             "is missing, though " + std::string(index_name) + " names it");
    }
  }
}

std::vector<std::string> SafetensorsFolder::names() const {
  std::vector<std::string> names;
  for (const auto& [name, file] : places_) names.push_back(name);
  return names;
}

const SafetensorsFile& SafetensorsFolder::file_of(const std::string& name) const {
  const auto found = places_.find(name);
  if (found == places_.end()) throw core::InputError(where(name), "is missing");
  return files_[found->second];
}

std::string SafetensorsFolder::where(const std::string& name) const {
  const auto found = places_.find(name);
  const auto& file = found == places_.end() ? main_file_ : files_[found->second].path();
  return fmt::format("{}: tensor '{}'", file, name);
}

at::Tensor SafetensorsFolder::tensor(const std::string& name) const {
  return file_of(name).tensor(name);
}

double SafetensorsFolder::largest_magnitude(const std::string& name) const {
  return file_of(name).largest_magnitude(name);
}

void SafetensorsFolder::release(const std::string& name) const { file_of(name).release(name); }

}  // namespace knnseq::model
