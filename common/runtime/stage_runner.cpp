#include "runtime/stage_runner.hpp"

#include <limits>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/json_field.hpp"
#include "core/own_files.hpp"
#include "obs/resources.hpp"
#include "runtime/input_files.hpp"
#include "runtime/stage_folder.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

enum class Plan { fresh, resume, skip };

constexpr std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max();  // of a file

StageFolder folder_of(const StageContext& context, const StageDefinition& stage) {
  return {context.run_dir, stage.folder, stage.files};
}

/// What the unfinished stage in this folder was begun with: {"stage", "inputs"}.
core::Json read_state(const fs::path& folder) {
  const auto path = folder / state_name;
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
  const StageFolder folder = folder_of(context, stage);
  folder.require_own();
  if (context.force == StageContext::Force::always || folder.is_being_cleared()) return Plan::fresh;
  const fs::path state = folder.state();
  const auto manifest = store::read_manifest(folder.manifest());
  if (!manifest && !fs::exists(state)) return Plan::fresh;
  const core::Json begun = manifest ? *manifest : read_state(stage.folder);
  if (begun.at("stage") != stage.name) {
    throw core::InputError(manifest ? folder.manifest() : state,
                           "belongs to stage " + begun.at("stage").get<std::string>());
  }
  core::Json before = begun.at("inputs");
  if (!manifest) {  // written by an earlier version of this program, it may hold them
    for (const auto& [name, value] : stage.last_step_inputs.items()) before.erase(name);
  }
  const std::string changes =
      store::describe_changes(before, manifest ? stage.all_inputs() : stage.inputs);
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

core::Json state_of(const std::string& stage, const core::Json& inputs) {
  return {{"stage", stage}, {"inputs", inputs}};
}

/// The work itself. What it refuses for its input leaves nothing that was only begun.
StageOutcome work_on(StageContext& context, const StageDefinition& stage, Plan plan) {
  try {
    return stage.work();
  } catch (const comm::AgreedError& e) {
    const bool refused = e.code() == core::ExitCode::bad_input && e.ranks() == context.comm.size();
    if (refused && plan == Plan::fresh && context.comm.is_root() &&
        !has_committed_work(stage.folder)) {
      try {
        folder_of(context, stage).remove();
      } catch (const std::exception&) {  // what stays is ours by its record
      }
    }
    throw;
  }
}

}  // namespace

core::Json StageDefinition::all_inputs() const {
  core::Json all = inputs;
  all.update(last_step_inputs);
  return all;
}

void run_stage(StageContext& context, const StageDefinition& stage) {
  auto& comm = context.comm;
  const StageFolder folder = folder_of(context, stage);
  context.log.set_stage(stage.name);
  Plan plan = Plan::fresh;
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    plan = make_plan(context, stage);
    if (plan == Plan::fresh) folder.start_over(state_of(stage.name, stage.inputs));
    if (plan == Plan::skip) folder.tidy();
    if (plan != Plan::skip && !context.resolved_config.empty()) {
      core::write_file_durably(context.run_dir / "config.yaml", context.resolved_config);
    }
  });
  plan = static_cast<Plan>(
      comm.all_reduce(comm.is_root() ? static_cast<std::int64_t>(plan) : 0, comm::Reduction::max));
  if (plan == Plan::skip) {
    context.input_stamps.clear();
    context.log.info("already done");
    return;
  }
  if (plan == Plan::resume) context.log.info("going on where an earlier run stopped");
  context.log.event("stage_begin",
                    {{"resumed", plan == Plan::resume}, {"inputs", stage.all_inputs()}});

  obs::reset_peak_memory();
  const obs::Stopwatch watch;
  const StageOutcome outcome = work_on(context, stage, plan);
  const double seconds = watch.seconds();
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    try {
      require_unedited_inputs(context);
    } catch (const core::InputError&) {
      folder.discard();
      throw;
    }
    const auto manifest = store::make_manifest(stage.name, stage.all_inputs(), outcome.content);
    core::write_file_durably(folder.manifest(), manifest.dump(1) + "\n");
    folder.tidy();
  });
  context.input_stamps.clear();
  record_stage(context, stage.name, outcome.work, seconds);
}

void write_results(const fs::path& run_dir, const fs::path& folder, const std::string& stage,
                   const core::Json& inputs, const std::map<std::string, std::string>& files) {
  std::vector<std::string> names;
  for (const auto& [name, text] : files) names.push_back(name);
  const StageFolder own(run_dir, folder, names);
  own.require_own();
  core::make_own_folders(run_dir, folder);
  store::write_sealed(own.state(), state_owner, state_of(stage, inputs));
  core::remove_own_file(own.manifest());  // only now that another record says whose folder it is
  for (const auto& [name, text] : files) core::write_file_durably(folder / name, text);
  const core::Json content = {{"files", describe_files(folder, names)}};
  const auto manifest = store::make_manifest(stage, inputs, content);
  core::write_file_durably(own.manifest(), manifest.dump(1) + "\n");
  own.tidy();
}

core::Json require_manifest(const fs::path& folder, const std::string& stage,
                            const std::string& command) {
  const auto path = folder / manifest_name;
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
