#include "stages/shared/inputs/put_in_place.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/own_files.hpp"
#include "runtime/stage_folder.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

constexpr const char* plan_name = "replacement.json";
constexpr const char* plan_owner = "replacement";
constexpr const char* request_name = "request.json";
constexpr const char* request_owner = "request";

void rename_durably(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) throw core::SystemError("rename", from, error.value());
  core::sync_folder(from.parent_path());
  core::sync_folder(to.parent_path());
}

class Switch {
 public:
  explicit Switch(const ReplacementFolders& folders)
      : run_dir_(folders.run_dir), folders_(folders) {}

  /// What lies at a folder's place goes among the replaced ones.
  void take_away(const std::string& name) const {
    const auto from = run_dir_ / name;
    core::refuse_links(run_dir_, from);
    if (!fs::exists(from)) return;
    const auto to = folders_.replaced / name;
    core::make_own_folders(run_dir_, to.parent_path());
    rename_durably(from, to);
  }

  void replace(const std::string& name) const {
    const auto from = folders_.ready / name;
    if (!fs::exists(from)) return;  // it is in its place already
    take_away(name);
    core::make_own_folders(run_dir_, (run_dir_ / name).parent_path());
    rename_durably(from, run_dir_ / name);
  }

  /// Removes what was replaced; files that are not ours go back to where they were.
  void clear(const std::string& name) const {
    const auto folder = folders_.replaced / name;
    if (!fs::exists(folder)) return;
    runtime::StageFolder(run_dir_, folder, own_names).clear();
    std::vector<fs::path> left;
    for (const auto& entry : fs::directory_iterator(folder)) {
      if (!entry.is_directory()) left.push_back(entry.path());
    }
    for (const auto& path : left) {
      const auto back = run_dir_ / name / path.filename();
      if (fs::exists(back)) continue;  // never over what is new
      core::make_own_folders(run_dir_, run_dir_ / name);
      rename_durably(path, back);
    }
  }

  /// Folders above those that were dropped, as far as they are empty: append/news.
  void remove_empty(const std::string& name) const {
    std::error_code not_empty;
    for (auto folder = fs::path(name).parent_path(); !folder.empty();
         folder = folder.parent_path()) {
      fs::remove(run_dir_ / folder, not_empty);
      if (not_empty) return;
    }
  }

 private:
  /// Names that only unfinished stages have, beside those that manifests list.
  inline static const std::vector<std::string> own_names = {"unpacked/", "sample.json",
                                                            "checkpoint"};
  const fs::path& run_dir_;
  const ReplacementFolders& folders_;
};

void collect(const fs::path& run_dir, const fs::path& folder, std::vector<std::string>& names) {
  if (!fs::is_directory(folder) || fs::is_symlink(folder)) return;
  if (runtime::has_record(folder)) names.push_back(fs::relative(folder, run_dir).string());
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !entry.is_symlink()) collect(run_dir, entry.path(), names);
  }
}

}  // namespace

ReplacementFolders::ReplacementFolders(fs::path run_directory, const ReplacingWork& work)
    : run_dir(std::move(run_directory)),
      folder(run_dir / work.folder),
      next(folder / "next"),
      ready(folder / ready_name),
      replaced(folder / "replaced") {}

void open_next(const ReplacementFolders& folders, const core::Json& request) {
  const core::Json wanted = {{"request", core::fingerprint(request.dump())}};
  core::refuse_links(folders.run_dir, folders.next);
  if (fs::exists(folders.next)) {
    try {
      if (store::read_sealed(folders.next / request_name, request_owner) == wanted) return;
    } catch (const core::InputError&) {  // it was only begun
    }
    core::remove_own_file(folders.next / request_name);  // first: the rest does not count then
    fs::remove_all(folders.next);
  }
  core::make_own_folders(folders.run_dir, folders.next);
  store::write_sealed(folders.next / request_name, request_owner, wanted);
}

void make_ready(const ReplacementFolders& folders, const Replacement& replacement) {
  core::Json plan = {{"replaced", replacement.replaced}, {"dropped", replacement.dropped}};
  if (replacement.removals) plan["removals"] = replacement.removals->to_json();
  store::write_sealed(folders.next / plan_name, plan_owner, plan);
  rename_durably(folders.next, folders.ready);
}

void put_in_place(const ReplacementFolders& folders) {
  core::refuse_links(folders.run_dir, folders.ready);
  const auto plan = store::read_sealed(folders.ready / plan_name, plan_owner);
  const auto replaced = plan.at("replaced").get<std::vector<std::string>>();
  const Switch now(folders);
  for (const auto& name : replaced) now.replace(name);
  // The innermost first, so that each is moved by itself.
  auto dropped = plan.at("dropped").get<std::vector<std::string>>();
  std::ranges::sort(dropped, std::greater());
  for (const auto& name : dropped) now.take_away(name);
  if (plan.contains("removals")) {
    Removals removals;
    plan.at("removals").at("corpora").get_to(removals.corpora);
    plan.at("removals").at("pairs").get_to(removals.pairs);
    removals.write(folders.run_dir);
  }
  for (const auto& name : replaced) now.clear(name);
  for (const auto& name : dropped) {
    now.clear(name);
    now.remove_empty(name);
  }
  fs::remove_all(folders.replaced);
  fs::remove_all(folders.ready);
  core::sync_folder(folders.folder);
}

bool finish_replacing(runtime::StageContext& context, const ReplacingWork& work) {
  bool ready = false;
  comm::on_root(context.comm, [&] {
    const ReplacementFolders folders(context.run_dir, work);
    ready = fs::exists(folders.ready);
    if (ready) put_in_place(folders);
  });
  ready = !context.comm.all(!ready);
  if (ready) context.log.info(fmt::format("finished {} that had been interrupted", work.name));
  return ready;
}

std::vector<std::string> stage_folders_in(const fs::path& run_dir, const fs::path& folder) {
  std::vector<std::string> names;
  collect(run_dir, folder, names);
  return names;
}

}  // namespace knnseq::stages
