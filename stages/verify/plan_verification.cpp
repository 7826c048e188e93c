#include "stages/verify/plan_verification.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "core/json_field.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/removals.hpp"
#include "stages/stage_table.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

std::int64_t size_of(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error ? 0 : static_cast<std::int64_t>(size);
}

class Finder {
 public:
  explicit Finder(const fs::path& run_dir) : run_dir_(run_dir) {}

  std::vector<Check> find() {
    if (const auto change = find_unfinished_change(run_dir_)) {
      add({CheckKind::known_damage, change->command, change->message, 1, 0, {}});
    }
    visit(run_dir_);
    return std::move(checks_);
  }

 private:
  /// Folders of the run directory, in the order of their names.
  void visit(const fs::path& folder) {
    if (folder != run_dir_) look_at(folder);
    std::vector<fs::path> below;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (entry.is_directory() && !entry.is_symlink()) below.push_back(entry.path());
    }
    std::sort(below.begin(), below.end());
    for (const auto& path : below) visit(path);
  }

  void look_at(const fs::path& folder) {
    folder_ = fs::relative(folder, run_dir_).string();
    try {
      if (const auto manifest = store::read_manifest(folder / "manifest.json")) {
        add({CheckKind::known_good,
             folder_,
             "manifest.json",
             1,
             size_of(folder / "manifest.json"),
             {}});
        look_at_finished(*manifest);
      } else if (fs::exists(folder / "state.json")) {
        look_at_begun(folder);
      }
    } catch (const core::Error& e) {
      add({CheckKind::known_damage, folder_, e.what(), 1, 0, {}});
    }
  }

  void look_at_finished(const store::Manifest& manifest) {
    const auto expected = step_in(folder_);
    if (!expected.empty() && manifest.stage != expected) {
      throw core::InputError(manifest.file, "is that of stage " + manifest.stage);
    }
    const fs::path folder = run_dir_ / folder_;
    const auto& content = manifest.content;
    for (const auto& [name, field] : manifest.content_fields().at("files").members()) {
      if (!field.has("fingerprint")) continue;  // part of a shard
      add({CheckKind::file, folder_, name, 1, size_of(folder / name), content["files"][name]});
    }
    if (!content.contains("shards")) return;
    for (const auto& [name, facts] : content["shards"].items()) {
      std::int64_t bytes = 0;
      for (const char* ending : {".h5", ".faiss", ".json"}) {
        bytes += size_of(folder / (name + ending));
      }
      if (facts.is_object()) {
        add({CheckKind::rows, folder_, name + ".h5", 1, bytes, facts});
      } else {
        add({CheckKind::shard, folder_, name, 2, bytes, {}});
      }
    }
  }

  void look_at_begun(const fs::path& folder) {
    const auto begun = runtime::begun_identity(folder);
    add({CheckKind::known_good, folder_, "state.json", 1, size_of(folder / "state.json"), {}});
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(folder)) {
      names.push_back(entry.path().filename().string());
    }
    std::sort(names.begin(), names.end());
    for (const auto& name : names) {
      const auto stem = name.substr(0, name.find('.'));
      const bool of_shard = name.starts_with("shard-");
      const bool finished = fs::exists(folder / (stem + ".json"));  // its leftovers do not count
      const auto bytes = size_of(folder / (stem + ".h5"));
      if (name.ends_with(".structure") && !finished) {
        add({CheckKind::begun_shard, folder_, stem, 2, bytes, begun});
      } else if (of_shard && name.ends_with(".json")) {
        add({CheckKind::finished_shard, folder_, stem, 2, bytes, begun});
      } else if (!of_shard && name.find(".journal.") != name.npos) {
        add({CheckKind::journal, folder_, name, 1, size_of(folder / name), begun});
      } else if (name == "sample.json" || name == "checkpoint") {
        const auto kind = name == "checkpoint" ? CheckKind::checkpoint : CheckKind::sample;
        add({kind, folder_, name, 1, size_of(folder / name), begun});
      }
    }
  }

  void add(Check check) { checks_.push_back(std::move(check)); }

  fs::path run_dir_;
  std::string folder_;
  std::vector<Check> checks_;
};

}  // namespace

core::Json to_json(const Check& check) {
  return {static_cast<std::int64_t>(check.kind),
          check.folder,
          check.name,
          check.files,
          check.bytes,
          check.facts};
}

Check check_from(const core::Json& json) {
  Check check;
  check.kind = static_cast<CheckKind>(json.at(0).get<std::int64_t>());
  json.at(1).get_to(check.folder);
  json.at(2).get_to(check.name);
  json.at(3).get_to(check.files);
  json.at(4).get_to(check.bytes);
  check.facts = json.at(5);
  return check;
}

std::vector<Check> plan_verification(const fs::path& run_dir) { return Finder(run_dir).find(); }

}  // namespace knnseq::stages
