#include "runtime/run_directory.hpp"

#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/own_files.hpp"
#include "runtime/lock_holder.hpp"
#include "runtime/stage_folder.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

constexpr int format = 1;
constexpr const char* program = "knnseq";
constexpr const char* holds = "run directory";

bool is_folder(const fs::directory_entry& entry) {
  return entry.is_directory() && !entry.is_symlink();
}

bool holds_stage(const fs::path& folder, int depth) {
  if (has_record(folder)) return true;
  if (depth == 0) return false;
  const fs::directory_iterator entries(folder);
  return std::any_of(begin(entries), end(entries), [&](const fs::directory_entry& entry) {
    return is_folder(entry) && holds_stage(entry.path(), depth - 1);
  });
}

/// Whether an earlier version has worked here.
bool was_made_by_us(const fs::path& run_dir, const std::vector<std::string>& stage_folders) {
  return std::ranges::any_of(stage_folders, [&](const std::string& name) {
    const fs::directory_entry folder(run_dir / name);
    return is_folder(folder) && holds_stage(folder.path(), 2);
  });
}

/// The lock of a command that was killed before it could set the marker.
bool is_own_lock(const fs::directory_entry& entry) {
  if (entry.symlink_status().type() != fs::file_type::regular) return false;
  if (entry.file_size() == 0) return true;
  try {
    lock_holder_from(core::read_json(entry.path()));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Whether a folder with this entry still counts as empty.
bool is_nothing(const fs::directory_entry& entry) {
  const auto name = entry.path().filename().string();
  if (name == "lost+found") return true;  // of a file system's root
  if (name == "lock") return is_own_lock(entry);
  return name == std::string(marker_name) + ".tmp";
}

/// Throws core::InputError for a marker that is not ours, or a later version's.
void check_marker(const fs::path& path) {
  core::refuse_links(path.parent_path(), path);
  const auto marker = core::read_json(path);
  const auto is = [&](const char* name, const char* value) {
    return marker.is_object() && marker.value(name, core::Json()) == value;
  };
  const auto version = marker.is_object() ? marker.value("format", core::Json()) : core::Json();
  if (!is("program", program) || !is("holds", holds) || !version.is_number_integer()) {
    throw core::InputError(path, "is not the marker of a run directory of knnseq");
  }
  if (version == format) return;
  throw core::InputError(
      path, fmt::format("says format {}; this knnseq knows format {}", version.dump(), format));
}

}  // namespace

void require_run_directory(const fs::path& run_dir, RunDirectoryUse use,
                           const std::vector<std::string>& stage_folders) {
  const bool reads = use == RunDirectoryUse::read;
  std::error_code error;
  const auto type = fs::status(run_dir, error).type();
  if (type == fs::file_type::none) {  // the name is too long, or a parent folder is not accessible
    throw core::InputError(run_dir, fmt::format("cannot be run_dir ({})", error.message()));
  }
  const bool there = type != fs::file_type::not_found;
  if (there && type != fs::file_type::directory) throw core::InputError(run_dir, "is not a folder");
  if (there) core::refuse_links(run_dir, run_dir / records_name);  // now, before a stage works
  if (there && fs::exists(fs::symlink_status(run_dir / marker_name))) {
    return check_marker(run_dir / marker_name);
  }
  if (there && was_made_by_us(run_dir, stage_folders)) return;
  if (there) {
    for (const auto& entry : fs::directory_iterator(run_dir)) {
      if (is_nothing(entry)) continue;
      throw core::InputError(
          run_dir, fmt::format("is not a run directory of knnseq: it holds '{}' and no {}; let "
                               "run_dir name a folder of its own, which may be missing or empty",
                               entry.path().filename().string(), marker_name));
    }
  }
  if (reads) {
    throw core::InputError(run_dir, "holds no stage's work; run 'knnseq partition' first");
  }
}

void mark_run_directory(const fs::path& run_dir) {
  const auto path = run_dir / marker_name;
  if (fs::exists(path)) return;
  const core::Json marker = {{"program", program}, {"holds", holds}, {"format", format}};
  core::write_file_durably(path, marker.dump() + "\n");
}

}  // namespace knnseq::runtime
