#include "stages/command_line.hpp"

#include <algorithm>
#include <filesystem>
#include <optional>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/nearest_name.hpp"
#include "core/utf8.hpp"

namespace knnseq::stages {

namespace {

/// "append and decode": the names of all stages of which something holds.
template <class Holds>
std::string names_where(std::span<const Stage> stages, Holds holds) {
  std::vector<std::string> names;
  for (const auto& stage : stages) {
    if (holds(stage)) names.push_back(stage.name);
  }
  if (names.size() < 2) return names.empty() ? "none" : names.front();
  const std::string last = names.back();
  names.pop_back();
  return fmt::format("{} and {}", fmt::join(names, ", "), last);
}

bool takes_names(const Stage& stage) { return stage.names != Names::none; }
bool takes_folders(const Stage& stage) { return stage.names == Names::run_directories; }
bool takes_items(const Stage& stage) { return takes_names(stage) && !takes_folders(stage); }
bool needs_config(const Stage& stage) { return stage.run_directory != RunDirectory::none; }

bool only_reads(const Stage& stage) {
  return stage.run_directory == RunDirectory::read || stage.run_directory == RunDirectory::verify;
}

const Flag* find_flag(const Stage& stage, const std::string& name) {
  const auto found = std::ranges::find(stage.flags, name, &Flag::name);
  return found == stage.flags.end() ? nullptr : &*found;
}

const char* meaning(Force force) {
  switch (force) {
    case Force::start_over:
      return "start the stage over";
    case Force::changed:
      return "start those steps over whose inputs have changed";
    case Force::nothing:
      break;
  }
  return "changes nothing: no earlier work is kept";
}

/// Whether a key of the config is one of those, or lies below one.
bool is_among(const std::string& key, const std::vector<std::string>& names) {
  return std::ranges::any_of(names, [&](const std::string& name) {
    if (!key.starts_with(name)) return false;
    return key.size() == name.size() || key[name.size()] == '.' || key[name.size()] == '[';
  });
}

/// Of a stage that works on run directories: takes the config of the first.
void read_folders(const Stage& stage, const std::vector<std::string>& flags, CommandLine& command) {
  if (command.names.size() < 2) {
    throw core::InputError(stage.name, "needs two run directories or more");
  }
  for (const auto& name : command.names) {
    if (!core::is_valid_utf8(name)) throw core::InputError(stage.name, "a name is not valid UTF-8");
  }
  if (std::ranges::find(flags, stage.flags.front().name) == flags.end()) {
    throw core::InputError(stage.flags.front().name, "DIR is required");
  }
  if (!command.config.empty()) {
    throw core::InputError(
        "--config", "is not for " + stage.name + ": the config is that of the first run directory");
  }
  command.config = (std::filesystem::path(command.names.front()) / "config.yaml").string();
}

}  // namespace

std::string usage(std::span<const Stage> stages) {
  std::string text = R"(knnseq: kNN machine translation as a pipeline of MPI processes

  mpirun -np P knnseq STAGE --config FILE [--set key=value …] [--force]

stages
)";
  for (const auto& stage : stages) {
    text += fmt::format("  {:<11} {}\n", stage.name, stage.help);
  }
  text += fmt::format(
      R"(
options
  --config FILE    YAML; configs/reference.yaml documents every key. {} does without
  --run DIR        instead of --config, with {}: the config that this run directory holds
  --set key=value  overrides a key (knn.k=8, decode.0.knn=false); may be repeated
  --force          start the stage over; with {}:
                   those steps whose inputs have changed
  --check          with run: look whether all that the stages will need is there and fits, and do
                   nothing; --check=inputs: without this machine's memory and GPUs
  --list           with run: print the stages it consists of, one a line, and do nothing;
                   alone: print the names of all stages
  --print-config   print every key with its value and where that comes from, and do nothing
  --schema         print a JSON schema of configs, for editors
  --help           after a stage: what it makes, and the keys of the config that it reads
  --version

{} take names of the config's items, as in: decode test-knn

exit codes: 0 done, 1 failed, 2 bad input, 75 stopped by SIGUSR1 (run again to go on)
)",
      names_where(stages, [](const Stage& stage) { return !needs_config(stage); }),
      names_where(stages, only_reads),
      names_where(stages, [](const Stage& stage) { return stage.force == Force::changed; }),
      names_where(stages, takes_items));
  return text;
}

std::string stage_help(const Stage& stage, std::span<const config::KnownKey> keys) {
  const bool config = needs_config(stage);
  std::string text =
      fmt::format("knnseq {0}: {1}\n\n  mpirun -np P knnseq {0}{2} {3} [--set key=value …]{4}\n\n",
                  stage.name, stage.help,
                  takes_folders(stage) ? " DIR [NAME=]DIR …"
                  : takes_names(stage) ? " [NAME …]"
                                       : "",
                  takes_folders(stage) ? stage.flags.front().name + " DIR"
                  : only_reads(stage)  ? "--config FILE|--run DIR"
                  : config             ? "--config FILE"
                                       : "[--config FILE]",
                  stage.force == Force::nothing ? "" : " [--force]");
  if (takes_folders(stage)) {
    text +=
        "  DIR      a run directory; the config is that of the first. NAME: what the corpora of "
        "this\n           one are called (docs/corpora.md)\n";
  } else if (takes_names(stage)) {
    text += fmt::format("  NAME     an item of the config{}\n",
                        stage.names == Names::chosen ? "" : "; none: all of them");
  }
  if (!stage.folders.empty()) {
    std::vector<std::string> folders;
    for (const auto& made : stage.folders) folders.push_back(made.folder + "/");
    text += fmt::format("  makes    {}\n", fmt::join(folders, ", "));
  }
  text += fmt::format("  --force  {}\n", meaning(stage.force));
  if (only_reads(stage)) text += "  --run    a run directory, whose own config is taken\n";
  for (const auto& flag : stage.flags) {
    text += fmt::format("  {:<8} {}\n", flag.name, flag.help);
  }
  text += "\nkeys of the config that it reads, with their defaults (see configs/reference.yaml)\n";
  for (const auto& key : keys) {
    if (!is_among(key.path, stage.keys)) continue;
    text +=
        fmt::format("  {:<32} {}\n", key.path, key.problem.empty() ? key.fallback : key.problem);
  }
  return text;
}

std::string stage_list(std::span<const Stage> stages) {
  std::string text;
  for (const auto& stage : stages) {
    text += fmt::format("{} {}\n", stage.name, core::name_of(stage.names));
  }
  return text;
}

CommandLine parse_command_line(int argc, const char* const* argv, std::span<const Stage> stages) {
  CommandLine command;
  std::vector<std::string> flags;  // which belong to some stages only
  for (int i = 1; i < argc; ++i) {
    std::string argument = argv[i];
    std::optional<std::string> attached;  // of --config=FILE
    if (const auto equals = argument.find('=');
        argument.starts_with("--") && equals != argument.npos) {
      attached = argument.substr(equals + 1);
      argument.erase(equals);
    }
    const auto value = [&] {
      if (attached) return *attached;
      if (i + 1 >= argc) throw core::InputError(argument, "needs a value (see knnseq --help)");
      return std::string(argv[++i]);
    };
    const auto takes = [&](const Stage& stage) { return find_flag(stage, argument) != nullptr; };
    if (argument == "--config") {
      command.config = value();
    } else if (argument == "--run") {
      command.run = value();
    } else if (argument == "--set") {
      command.overrides.push_back(value());
    } else if (argument == "--force") {
      command.force = true;
    } else if (argument == "--list") {
      command.list = true;
    } else if (argument == "--check") {
      const auto scope = attached.value_or("all");
      command.check = core::value_named<CheckScope>(scope);
      if (!command.check) throw core::InputError(argument, "'" + scope + "' is not all or inputs");
    } else if (argument == "--print-config") {
      command.print_config = true;
    } else if (argument == "--schema") {
      command.schema = true;
    } else if (argument == "--help" || argument == "-h") {
      command.help = true;
    } else if (argument == "--version") {
      command.version = true;
    } else if (const auto owner = std::ranges::find_if(stages, takes); owner != stages.end()) {
      const Flag& flag = *find_flag(*owner, argument);
      flags.push_back(argument);
      command.overrides.push_back(flag.key + "=" + (flag.value.empty() ? value() : flag.value));
    } else if (argument.starts_with("-")) {
      throw core::InputError(argument, "is not an option (see knnseq --help)");
    } else if (command.stage.empty()) {
      command.stage = argument;
    } else {
      command.names.push_back(argument);
    }
  }
  if (command.version || command.schema ||
      (command.stage.empty() && (command.help || command.list)))
    return command;
  const Stage* stage = find_stage(stages, command.stage);
  if (command.stage.empty()) throw core::InputError("no stage given (see knnseq --help)");
  if (stage == nullptr) {
    std::vector<std::string> names;
    for (const auto& known : stages) names.push_back(known.name);
    throw core::InputError(
        fmt::format("'{}' is not a stage; did you mean '{}'? (see knnseq --help)", command.stage,
                    core::nearest_name(command.stage, names)));
  }
  if (command.help) return command;
  for (const auto& flag : flags) {
    if (find_flag(*stage, flag) == nullptr) {
      throw core::InputError(flag,
                             fmt::format("is no option of {} (see knnseq --help)", stage->name));
    }
  }
  if (!command.run.empty()) {
    if (!only_reads(*stage)) {
      throw core::InputError(
          "--run", "is for " + names_where(stages, only_reads) + "; others need --config FILE");
    }
    if (!command.config.empty()) throw core::InputError("--run", "is instead of --config");
    if (!core::is_valid_utf8(command.run)) throw core::InputError("--run", "is not valid UTF-8");
    command.config = (std::filesystem::path(command.run) / "config.yaml").string();
    command.overrides.push_back("run_dir=" + core::Json(command.run).dump());
  }
  if (takes_folders(*stage)) read_folders(*stage, flags, command);
  const bool config = needs_config(*stage) || !command.overrides.empty();
  if (config && command.config.empty()) {
    throw core::InputError(only_reads(*stage) ? "--config FILE or --run DIR is required"
                                              : "--config FILE is required");
  }
  if (!command.names.empty() && !takes_names(*stage)) {
    throw core::InputError("'" + command.names[0] + "'",
                           "only " + names_where(stages, takes_items) + " take names");
  }
  if (command.check && command.stage != "run") {
    throw core::InputError("--check", "is for run only");
  }
  if (command.list && command.stage != "run") {
    throw core::InputError("--list", "is for run only, or without a stage");
  }
  return command;
}

}  // namespace knnseq::stages
