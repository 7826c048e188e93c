#include "runtime/stage_runner.hpp"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/json_field.hpp"
#include "obs/resources.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

enum class Plan { fresh, resume, skip };

constexpr const char* state_owner = "state";
constexpr std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max();  // of a file

/// What the unfinished stage in this folder was begun with: {"stage", "inputs"}.
core::Json read_state(const fs::path& folder) {
  const auto path = folder / "state.json";
  core::Json state = store::read_sealed(path, state_owner);
  core::JsonField(path, state).at("stage").text();
  core::JsonField(path, state).at("inputs").members();
  return state;
}

/// Nothing if all files of the manifest are there with their sizes, else what is wrong.
std::string missing_files(const fs::path& folder, const core::Json& manifest) {
  const core::JsonField content(folder / "manifest.json", manifest.at("content"), "content");
  for (const auto& [name, facts] : content.at("files").members()) {
    std::error_code error;
    const auto size = fs::file_size(folder / name, error);
    if (error) return (folder / name).string() + " is missing";
    if (std::cmp_not_equal(size, facts.at("bytes").number(0, most_bytes)))
      return (folder / name).string() + " has another size";
  }
  return "";
}

/// Whether an unfinished stage has left anything that a later run would build on. Work is committed
/// to journals, checkpoints and shard manifests; without one of them there is nothing to lose. A
/// journal is empty until its first record: a kill in between leaves it so. The others are renamed
/// into place when they are whole, so that an empty one is damaged and must not pass for nothing.
bool has_committed_work(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name == "checkpoint" || (name.starts_with("shard-") && name.ends_with(".json")))
      return true;
    if (name.find(".journal.") != std::string::npos && entry.file_size() > 0) return true;
  }
  return false;
}

Plan make_plan(const StageContext& context, const StageDefinition& stage) {
  if (context.force == StageContext::Force::always) return Plan::fresh;
  const fs::path state = stage.folder / "state.json";
  const auto manifest = store::read_manifest(stage.folder / "manifest.json");
  if (!manifest && !fs::exists(state)) return Plan::fresh;
  const core::Json begun = manifest ? *manifest : read_state(stage.folder);
  if (begun.at("stage") != stage.name) {
    throw core::InputError(manifest ? stage.folder / "manifest.json" : state,
                           "belongs to stage " + begun.at("stage").get<std::string>());
  }
  const core::Json& before = begun.at("inputs");
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
  store::write_sealed(stage.folder / "state.json", state_owner,
                      {{"stage", stage.name}, {"inputs", stage.inputs}});
}

/// Removes what only unfinished work needs, and what kills left of files that were being written.
void tidy(const fs::path& folder) {
  std::error_code ignored;  // a finished stage may lie in a folder that is read-only by now
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto name = entry.path().filename().string();
    if (name == "state.json" || name.ends_with(".tmp")) fs::remove(entry.path(), ignored);
  }
}

/// The work itself. What it refuses for its input leaves nothing that was only begun.
StageOutcome work_on(StageContext& context, const StageDefinition& stage, Plan plan) {
  try {
    return stage.work();
  } catch (const comm::AgreedError& e) {
    const bool refused = e.code() == core::ExitCode::bad_input && e.ranks() == context.comm.size();
    if (refused && plan == Plan::fresh && context.comm.is_root() &&
        !has_committed_work(stage.folder)) {
      std::error_code ignored;
      fs::remove_all(stage.folder, ignored);
    }
    throw;
  }
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
    if (plan == Plan::skip) tidy(stage.folder);
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
  const StageOutcome outcome = work_on(context, stage, plan);
  const double seconds = watch.seconds();
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    const auto manifest = store::make_manifest(stage.name, stage.inputs, outcome.content);
    core::write_file_durably(stage.folder / "manifest.json", manifest.dump(1) + "\n");
    tidy(stage.folder);
  });
  record_stage(context, stage.name, outcome.work, seconds);
}

void write_results(const fs::path& folder, const std::string& stage, const core::Json& inputs,
                   const std::map<std::string, std::string>& files) {
  core::make_directories(folder);
  fs::remove(folder / "manifest.json");
  std::vector<std::string> names;
  for (const auto& [name, text] : files) {
    core::write_file_durably(folder / name, text);
    names.push_back(name);
  }
  const core::Json content = {{"files", describe_files(folder, names)}};
  const auto manifest = store::make_manifest(stage, inputs, content);
  core::write_file_durably(folder / "manifest.json", manifest.dump(1) + "\n");
}

core::Json require_manifest(const fs::path& folder, const std::string& stage,
                            const std::string& command) {
  const auto path = folder / "manifest.json";
  auto manifest = store::read_manifest(path);
  if (!manifest) {
    throw core::InputError(folder, fmt::format("is not complete; run 'knnseq {}' first", command));
  }
  if (manifest->at("stage") != stage) {
    throw core::InputError(path, fmt::format("is that of stage {}, not of {}",
                                             manifest->at("stage").get<std::string>(), stage));
  }
  return *manifest;
}

std::string begun_identity(const core::Json& stage, const core::Json& inputs) {
  return core::fingerprint(core::Json{stage, inputs}.dump());
}

std::string begun_identity(const fs::path& folder) {
  const auto begun = read_state(folder);
  return begun_identity(begun.at("stage"), begun.at("inputs"));
}

core::Json describe_files(const fs::path& folder, const std::vector<std::string>& names) {
  core::Json files = file_sizes(folder, names);
  for (auto& [name, facts] : files.items()) {
    facts["fingerprint"] = core::fingerprint_file(folder / name);
  }
  return files;
}

fs::path require_file(const fs::path& folder, const core::Json& manifest, const std::string& name,
                      const std::string& command) {
  auto path = folder / name;
  const core::JsonField content(folder / "manifest.json", manifest.at("content"), "content");
  const auto& fingerprint = content.at("files").at(name).at("fingerprint").text();
  if (fs::is_regular_file(path) && fingerprint == core::fingerprint_file(path)) return path;
  throw core::InputError(
      path, fmt::format("is missing or damaged (its bytes do not match its manifest); run 'knnseq "
                        "{} --force'",
                        command));
}

core::Json file_sizes(const fs::path& folder, const std::vector<std::string>& names) {
  core::Json sizes = core::Json::object();
  for (const auto& name : names) sizes[name] = {{"bytes", fs::file_size(folder / name)}};
  return sizes;
}

}  // namespace knnseq::runtime
