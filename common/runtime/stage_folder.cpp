#include "runtime/stage_folder.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/own_files.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

/// A manifest or state of work that is being removed: renamed, so that it needs no space.
constexpr const char* discarded_name = "discarded.json";
constexpr std::string_view temporary_ending = ".tmp";

bool is_state(const fs::path& path) {
  try {
    store::read_sealed(path, state_owner);
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

/// The manifest; std::nullopt if it is missing or damaged.
std::optional<store::Manifest> find_manifest(const fs::path& path) {
  try {
    return store::read_manifest(path);
  } catch (const core::Error&) {
    return std::nullopt;
  }
}

/// Whether it is a whole manifest, or what another version has written as one.
bool is_manifest(const fs::path& path) {
  try {
    return store::read_manifest(path).has_value();
  } catch (const store::OtherVersion&) {
    return true;
  } catch (const core::Error&) {
    return false;
  }
}

bool is_discarded(const fs::path& path) { return is_manifest(path) || is_state(path); }

/// shard-00000.h5, .faiss, .json, .structure or .journal.0000, as ShardJobs names them.
bool is_of_shard(std::string_view name) {
  constexpr std::string_view begin = "shard-";
  if (!name.starts_with(begin)) return false;
  name.remove_prefix(begin.size());
  const auto digits = [](std::string_view text) {
    return !text.empty() &&
           std::ranges::all_of(text, [](unsigned char c) { return std::isdigit(c); });
  };
  const auto dot = name.find('.');
  if (dot == name.npos || !digits(name.substr(0, dot))) return false;
  const auto ending = name.substr(dot);
  constexpr std::string_view journal = ".journal.";
  if (ending.starts_with(journal)) return digits(ending.substr(journal.size()));
  return ending == ".h5" || ending == ".faiss" || ending == ".json" || ending == ".structure";
}

/// Whether a folder holds only folders of stages, as that of tune does.
bool holds_stages_only(const fs::path& folder) {
  if (has_record(folder)) return true;
  const fs::directory_iterator entries(folder);
  return std::all_of(begin(entries), end(entries), [](const fs::directory_entry& entry) {
    return entry.is_directory() && !entry.is_symlink() && holds_stages_only(entry.path());
  });
}

}  // namespace

bool has_record(const fs::path& folder) {
  return is_manifest(folder / manifest_name) || is_state(folder / state_name) ||
         is_discarded(folder / discarded_name);
}

StageFolder::StageFolder(fs::path run_dir, fs::path path, std::vector<std::string> names)
    : run_dir_(std::move(run_dir)), path_(std::move(path)), names_(std::move(names)) {}

bool StageFolder::makes(const fs::directory_entry& entry) const {
  const bool folder = entry.is_directory() && !entry.is_symlink();
  auto name = entry.path().filename().string();
  if (!folder && name.ends_with(temporary_ending)) {
    name.resize(name.size() - temporary_ending.size());
  }
  if (!folder && (is_of_shard(name) || name == manifest_name || name == state_name ||
                  name == discarded_name)) {
    return true;
  }
  return std::ranges::any_of(names_, [&](const std::string& own) {
    const auto stem = std::string_view(own).substr(0, own.size() - 1);
    if (own.ends_with('/')) return folder && name == stem;
    if (own.ends_with('*')) return !folder && name.starts_with(stem);
    return !folder && name == own;
  });
}

void StageFolder::require_own() const {
  core::refuse_links(run_dir_, path_);
  if (!fs::exists(path_)) return;
  if (!fs::is_directory(path_)) throw core::InputError(path_, "is not a folder");
  if (has_record(path_)) return;
  const bool damaged =
      fs::exists(manifest()) || fs::exists(state()) || fs::exists(path_ / discarded_name);
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto name = entry.path().filename().string();
    if (name == std::string(state_name) + std::string(temporary_ending)) continue;  // of a kill
    if (damaged && makes(entry)) continue;
    if (entry.is_directory() && !entry.is_symlink() && holds_stages_only(entry.path())) continue;
    throw core::InputError(
        path_, fmt::format("holds '{}' and no record of a stage of knnseq, which would write here; "
                           "move what you need elsewhere, or use another run_dir",
                           name));
  }
}

bool StageFolder::is_being_cleared() const { return is_discarded(path_ / discarded_name); }

void StageFolder::discard() const {
  if (is_being_cleared()) return;
  for (const auto& record : {manifest(), state()}) {
    if (!fs::exists(record)) continue;
    std::error_code error;
    fs::rename(record, path_ / discarded_name, error);
    if (error) throw core::SystemError("rename", record, error.value());
    core::sync_folder(path_);
    return;
  }
}

void StageFolder::remove_files(const std::string& kept) const {
  std::set<std::string> listed;
  if (const auto manifest = find_manifest(path_ / discarded_name)) {
    const auto files = manifest->content.value("files", core::Json::object());
    for (const auto& [name, facts] : files.items()) listed.insert(name);
  }
  std::vector<fs::path> doomed;
  for (const auto& entry : fs::directory_iterator(path_)) {
    const auto name = entry.path().filename().string();
    const bool is_listed =
        listed.contains(name) && entry.symlink_status().type() == fs::file_type::regular;
    if (name != kept && (makes(entry) || is_listed)) doomed.push_back(entry.path());
  }
  for (const auto& path : doomed) {
    std::error_code error;
    fs::remove_all(path, error);  // of a link it removes the link
    if (error) throw core::SystemError("remove", path, error.value());
  }
}

void StageFolder::start_over(const core::Json& state_content) const {
  core::make_own_folders(run_dir_, path_);
  discard();
  remove_files(discarded_name);
  store::write_sealed(state(), state_owner, state_content);
  core::remove_own_file(path_ / discarded_name);
}

void StageFolder::remove() const {
  remove_files(state_name);
  const fs::directory_iterator entries(path_);
  if (std::distance(begin(entries), end(entries)) > 1) return;  // the other entries need a record
  core::remove_own_file(state());
  fs::remove(path_);
}

void StageFolder::clear() const {
  discard();
  remove_files(discarded_name);
  core::remove_own_file(path_ / discarded_name);
}

void StageFolder::tidy() const {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const auto name = entry.path().filename().string();
    const bool temporary = name.ends_with(temporary_ending) && makes(entry);
    if (name == state_name || temporary) fs::remove(entry.path(), ignored);
  }
}

}  // namespace knnseq::runtime
