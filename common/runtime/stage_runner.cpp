#include "runtime/stage_runner.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/resources.hpp"
#include "store/manifest.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

enum class Plan { fresh, resume, skip };

/// Nothing if all files of the manifest are there with their sizes, else what is wrong.
std::string missing_files(const fs::path& folder, const core::Json& manifest) {
  for (const auto& [name, bytes] : manifest.at("content").at("files").items()) {
    std::error_code error;
    const auto size = fs::file_size(folder / name, error);
    if (error) return (folder / name).string() + " is missing";
    if (size != bytes.get<std::uintmax_t>()) return (folder / name).string() + " has another size";
  }
  return "";
}

/// Whether an unfinished stage has left anything that a later run would build on. Work is committed
/// to journals, checkpoints and shard manifests; without one of them there is nothing to lose.
bool has_committed_work(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    const bool commits = name.find(".journal.") != std::string::npos || name == "checkpoint" ||
                         (name.starts_with("shard-") && name.ends_with(".json"));
    if (commits && entry.file_size() > 0) return true;
  }
  return false;
}

Plan make_plan(const StageContext& context, const StageDefinition& stage) {
  if (context.force == StageContext::Force::always) return Plan::fresh;
  const fs::path state = stage.folder / "state.json";
  const auto manifest = store::read_manifest(stage.folder / "manifest.json");
  if (!manifest && !fs::exists(state)) return Plan::fresh;
  const core::Json before = manifest ? manifest->at("inputs") : core::read_json(state);
  const std::string changes = store::describe_changes(before, stage.inputs);
  if (!changes.empty()) {
    if (context.force == StageContext::Force::changed) return Plan::fresh;
    if (!manifest && !has_committed_work(stage.folder)) return Plan::fresh;
    throw core::InputError(
        stage.folder,
        fmt::format("was {} from other inputs: {}. Use another run_dir, or --force to "
                    "discard it and start over",
                    manifest ? "made" : "begun", changes));
  }
  if (!manifest) return has_committed_work(stage.folder) ? Plan::resume : Plan::fresh;
  const std::string wrong = missing_files(stage.folder, *manifest);
  if (wrong.empty()) return Plan::skip;
  if (context.force == StageContext::Force::changed) return Plan::fresh;
  throw core::InputError(wrong + "; --force makes the stage again");
}

/// Rank 0 clears the folder and notes what the stage is begun with.
void begin(const StageDefinition& stage) {
  std::error_code error;
  // First what makes a later run believe the rest: a kill in between must not leave half of it.
  fs::remove(stage.folder / "manifest.json", error);
  fs::remove(stage.folder / "state.json", error);
  fs::remove_all(stage.folder, error);
  if (error) throw core::SystemError("remove", stage.folder, error.value());
  core::make_directories(stage.folder);
  core::write_file_durably(stage.folder / "state.json", stage.inputs.dump(2) + "\n");
}

}  // namespace

void run_stage(StageContext& context, const StageDefinition& stage) {
  auto& comm = context.comm;
  context.log.set_stage(stage.name);
  Plan plan = Plan::fresh;
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    plan = make_plan(context, stage);
    if (plan == Plan::fresh) begin(stage);
    if (plan != Plan::skip && !context.resolved_config.empty()) {
      core::write_file_durably(context.run_dir / "config.yaml", context.resolved_config);
    }
  });
  plan = static_cast<Plan>(
      comm.all_reduce(comm.is_root() ? static_cast<std::int64_t>(plan) : 0, comm::Reduction::max));
  if (plan == Plan::skip) {
    context.log.info("already done");
    return;
  }
  if (plan == Plan::resume) context.log.info("going on where an earlier run stopped");
  context.log.event("stage_begin", {{"resumed", plan == Plan::resume}, {"inputs", stage.inputs}});

  obs::reset_peak_memory();
  const obs::Stopwatch watch;
  const StageOutcome outcome = stage.work();
  const double seconds = watch.seconds();
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    const auto manifest = store::make_manifest(stage.name, stage.inputs, outcome.content);
    core::write_file_durably(stage.folder / "manifest.json", manifest.dump(1) + "\n");
    fs::remove(stage.folder / "state.json");
  });
  record_stage(context, stage.name, outcome.work, seconds);
}

core::Json require_manifest(const fs::path& folder, const std::string& stage) {
  auto manifest = store::read_manifest(folder / "manifest.json");
  if (!manifest) {
    throw core::InputError(folder, fmt::format("is not complete; run 'knnseq {}' first", stage));
  }
  return *manifest;
}

core::Json file_sizes(const fs::path& folder, const std::vector<std::string>& names) {
  core::Json sizes = core::Json::object();
  for (const auto& name : names) sizes[name] = fs::file_size(folder / name);
  return sizes;
}

}  // namespace knnseq::runtime
