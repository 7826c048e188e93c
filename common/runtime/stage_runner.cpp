#include "runtime/stage_runner.hpp"

#include <limits>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/json_field.hpp"
#include "core/own_files.hpp"
#include "obs/resources.hpp"
#include "runtime/input_files.hpp"
#include "runtime/stage_folder.hpp"
#include "store/sealed_json.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

enum class Plan { fresh, resume, skip };

constexpr std::int64_t most_bytes = std::numeric_limits<std::int64_t>::max();  // of a file

StageFolder folder_of(const StageContext& context, const StageDefinition& stage) {
  return {context.run_dir, stage.folder, stage.files};
}

/// What an unfinished stage was begun with.
struct State {
  std::string stage;
  core::Json inputs;
};

core::Json to_json(const State& state) {
  return {{"version", store::manifest_version}, {"stage", state.stage}, {"inputs", state.inputs}};
}

/// Of the unfinished stage in this folder. Until version 4 it did not say which it is.
State read_state(const fs::path& folder) {
  const auto path = folder / state_name;
  const core::Json state = store::read_sealed(path, state_owner);
  if (state.contains("version")) store::require_version(path, state["version"]);
  const core::JsonField fields(path, state);
  fields.at("inputs").members();
  return {fields.at("stage").text(), state["inputs"]};
}

/// Empty if all files of the manifest exist with their sizes, else what is wrong.
std::string missing_files(const fs::path& folder, const store::Manifest& manifest) {
  for (const auto& [name, facts] : manifest.content_fields().at("files").members()) {
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
/// journal is empty until its first record, so a kill may leave it empty. The others are renamed
/// into place when complete, so an empty one is damaged and must not count as absent.
bool has_committed_work(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name == "checkpoint" || (name.starts_with("shard-") && name.ends_with(".json")))
      return true;
    if (name.find(".journal.") != std::string::npos && entry.file_size() > 0) return true;
  }
  return false;
}

/// What a finished or an unfinished stage has left in its folder.
struct Earlier {
  fs::path record;
  std::string stage;
  core::Json inputs;
  std::optional<store::Manifest> manifest;  ///< of a finished one
};

/// Nothing where there is neither.
std::optional<Earlier> read_earlier(const StageFolder& folder) {
  if (auto manifest = store::read_manifest(folder.manifest())) {
    return Earlier{folder.manifest(), manifest->stage, manifest->inputs, manifest};
  }
  if (!fs::exists(folder.state())) return std::nullopt;
  const State state = read_state(folder.path());
  return Earlier{folder.state(), state.stage, state.inputs, std::nullopt};
}

Plan make_plan(const StageContext& context, const StageDefinition& stage) {
  const StageFolder folder = folder_of(context, stage);
  const auto force = context.force;
  folder.require_own();
  if (force == StageContext::Force::always || folder.is_being_cleared()) return Plan::fresh;
  std::optional<Earlier> earlier;
  try {
    earlier = read_earlier(folder);
  } catch (const store::OtherVersion& e) {
    if (force == StageContext::Force::changed) return Plan::fresh;
    throw core::InputError(std::string(e.what()) + "; --force makes the stage again");
  }
  if (!earlier) return Plan::fresh;
  if (earlier->stage != stage.name) {
    throw core::InputError(earlier->record, "belongs to stage " + earlier->stage);
  }
  const bool finished = earlier->manifest.has_value();
  if (!finished) {  // written by an earlier version of this program, it may hold them
    for (const auto& [name, value] : stage.last_step_inputs.items()) earlier->inputs.erase(name);
  }
  const std::string changes =
      store::describe_changes(earlier->inputs, finished ? stage.all_inputs() : stage.inputs);
  if (!changes.empty()) {
    if (force == StageContext::Force::changed) return Plan::fresh;
    if (!finished && !has_committed_work(stage.folder)) return Plan::fresh;
    throw core::InputError(
        stage.folder,
        fmt::format("was {} from other inputs: {}. Use another run_dir, or --force to "
                    "discard it and start over",
                    finished ? "made" : "begun", changes));
  }
  if (!finished) return has_committed_work(stage.folder) ? Plan::resume : Plan::fresh;
  const std::string wrong = missing_files(stage.folder, *earlier->manifest);
  if (wrong.empty()) return Plan::skip;
  if (force == StageContext::Force::changed) return Plan::fresh;
  throw core::InputError(wrong + "; --force makes the stage again");
}

/// Does the work. If it refuses its input, a stage that was only begun is removed.
StageOutcome work_on(StageContext& context, const StageDefinition& stage, Plan plan) {
  try {
    return stage.work();
  } catch (const comm::AgreedError& e) {
    const bool refused = e.code() == core::ExitCode::bad_input && e.ranks() == context.comm.size();
    if (refused && plan == Plan::fresh && context.comm.is_root() &&
        !has_committed_work(stage.folder)) {
      try {
        folder_of(context, stage).remove();
      } catch (const std::exception&) {  // what stays has a record that says it is ours
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
  comm::on_root(comm, [&] {
    plan = make_plan(context, stage);
    if (plan == Plan::fresh) folder.start_over(to_json(State{stage.name, stage.inputs}));
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
  context.log.event("stage_begin", {{"resumed", plan == Plan::resume},
                                    {"inputs", stage.all_inputs()},
                                    {"job", context.provenance.job}});

  obs::reset_peak_memory();
  const obs::Stopwatch watch;
  const StageOutcome outcome = work_on(context, stage, plan);
  StageSession session{watch.seconds(), plan == Plan::resume, {}};
  comm::on_root(comm, [&] {
    try {
      require_unedited_inputs(context);
    } catch (const core::InputError&) {
      folder.discard();
      throw;
    }
    const auto manifest = store::make_manifest(stage.name, stage.all_inputs(), outcome.content);
    core::write_file_durably(folder.manifest(), manifest.dump(1) + "\n");
    session.manifest = manifest.at("identity");
    folder.tidy();
  });
  context.input_stamps.clear();
  record_stage(context, stage.name, outcome.work, session);
  if (!outcome.content.contains("files")) return;
  std::vector<std::string> names;
  for (const auto& [name, facts] : outcome.content["files"].items()) names.push_back(name);
  context.log.info(describe_written(stage.folder, names));
}

std::string describe_written(const fs::path& folder, const std::vector<std::string>& names) {
  constexpr std::size_t most_named = 5;
  const auto what = names.size() <= most_named ? fmt::format("{}", fmt::join(names, ", "))
                                               : fmt::format("{} files", names.size());
  return fmt::format("wrote {}/: {}", folder.string(), what);
}

void write_results(const fs::path& run_dir, const fs::path& folder, const std::string& stage,
                   const core::Json& inputs, const std::map<std::string, std::string>& files) {
  std::vector<std::string> names;
  names.reserve(files.size());
  for (const auto& [name, text] : files) names.push_back(name);
  const StageFolder own(run_dir, folder, names);
  own.require_own();
  core::make_own_folders(run_dir, folder);
  store::write_sealed(own.state(), state_owner, to_json(State{stage, inputs}));
  core::remove_own_file(own.manifest());  // only now that another record says whose folder it is
  for (const auto& [name, text] : files) core::write_file_durably(folder / name, text);
  const core::Json content = {{"files", describe_files(folder, names)}};
  const auto manifest = store::make_manifest(stage, inputs, content);
  core::write_file_durably(own.manifest(), manifest.dump(1) + "\n");
  own.tidy();
}

store::Manifest require_manifest(const fs::path& folder, const std::string& stage,
                                 const std::string& command) {
  const auto path = folder / manifest_name;
  std::optional<store::Manifest> manifest;
  try {
    manifest = store::read_manifest(path);
  } catch (const store::OtherVersion& e) {
    throw core::InputError(fmt::format("{}; run 'knnseq {} --force'", e.what(), command));
  }
  if (!manifest) {
    throw core::InputError(folder, fmt::format("is not complete; run 'knnseq {}' first", command));
  }
  if (manifest->stage != stage) {
    throw core::InputError(path,
                           fmt::format("is that of stage {}, not of {}", manifest->stage, stage));
  }
  return *manifest;
}

std::string begun_identity(const std::string& stage, const core::Json& inputs) {
  return core::fingerprint(core::Json::array({stage, inputs}).dump());
}

std::string begun_identity(const fs::path& folder) {
  const State begun = read_state(folder);
  return begun_identity(begun.stage, begun.inputs);
}

core::Json describe_files(const fs::path& folder, const std::vector<std::string>& names) {
  core::Json files = file_sizes(folder, names);
  for (auto& [name, facts] : files.items()) {
    facts["fingerprint"] = core::fingerprint_file(folder / name);
  }
  return files;
}

fs::path require_file(const fs::path& folder, const store::Manifest& manifest,
                      const std::string& name, const std::string& command) {
  auto path = folder / name;
  const auto files = manifest.content_fields().at("files");
  const auto& fingerprint = files.at(name).at("fingerprint").text();
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
