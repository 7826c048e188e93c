#include "stages/shared/inputs/removals.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/own_files.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

namespace fs = std::filesystem;

namespace {

fs::path removals_manifest(const fs::path& run_dir) {
  return run_dir / removing.folder / "manifest.json";
}

}  // namespace

core::Json Removals::to_json() const { return {{"corpora", corpora}, {"pairs", pairs}}; }

Removals Removals::read(const fs::path& run_dir) {
  Removals removals;
  const auto manifest = store::read_manifest(removals_manifest(run_dir));
  if (!manifest) return removals;
  const auto content = manifest->content_fields();
  for (const auto& name : content.at("corpora").elements()) {
    removals.corpora.push_back(name.text());
  }
  for (const auto& [name, count] : content.at("pairs").members()) {
    removals.pairs[name] = count.number(0, std::numeric_limits<std::int64_t>::max());
  }
  return removals;
}

void Removals::write(const fs::path& run_dir) const {
  core::make_own_folders(run_dir, run_dir / removing.folder);
  core::Json content = to_json();
  content["files"] = core::Json::object();
  const auto manifest = store::make_manifest("remove", core::Json::object(), content);
  core::write_file_durably(removals_manifest(run_dir), manifest.dump(1) + "\n");
}

std::optional<UnfinishedChange> find_unfinished_change(const fs::path& run_dir) {
  for (const auto& [name, command, work] : {removing, retraining}) {
    const auto ready = run_dir / name / ready_name;
    if (!fs::exists(ready)) continue;
    return UnfinishedChange{
        std::string(command).substr(0, std::string(command).find(' ')),
        fmt::format(
            "{}: {} was interrupted while it was put in place; run 'knnseq {}' to finish it",
            ready.string(), work, command)};
  }
  const auto merging = run_dir / merging_name;
  if (!fs::exists(merging)) return std::nullopt;
  return UnfinishedChange{"merge", merging.string() +
                                       ": a merge into this run directory is not finished; give "
                                       "the same 'knnseq merge' again"};
}

void require_no_unfinished_change(const fs::path& run_dir, const std::string& command) {
  const auto change = find_unfinished_change(run_dir);
  if (change && change->command != command) throw core::InputError(change->message);
}

void leave_out_removed(comm::Communicator& comm, obs::Log& log, Options& options,
                       const std::vector<std::string>& again) {
  std::vector<std::string> left_out;
  comm::agree(comm, [&] {
    Removals removals = Removals::read(options.run_dir);
    const auto returns = [&](const std::string& name) {
      return std::ranges::find(again, name) != again.end();
    };
    if (std::erase_if(removals.corpora, returns) > 0 && comm.is_root()) {
      removals.write(options.run_dir);
    }
    for (const auto& name : removals.corpora) {
      if (std::erase_if(options.append, [&](const auto& item) { return item.name == name; }) > 0) {
        left_out.push_back(name);
      }
    }
  });
  for (const auto& name : left_out) {
    log.info(
        fmt::format("append.{0} was taken out by 'knnseq remove'; take it out of the config "
                    "too, or bring it back by 'knnseq append {0}'",
                    name));
  }
}

}  // namespace knnseq::stages
