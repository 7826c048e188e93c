// The stages: what is said of a stage stands in one row of this table. The command line, `run`,
// `verify`, the run directory and the scripts for Slurm follow from it.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/enum_names.hpp"

namespace knnseq::runtime {
struct StageContext;
}

namespace knnseq::stages {

struct Options;

/// A folder of the run directory and the step whose manifest belongs there. In both, '*' stands for
/// the name of an item, as in "append/*/index" and "append-*-add".
struct StepFolder {
  std::string folder;
  std::string step;
  /// Whether the step is part of what the config asks for; none: always.
  std::function<bool(const Options&)> wanted = {};
};

/// What may follow a stage's name on the command line.
enum class Names {
  none,         ///< nothing
  ordered,      ///< items of the config; each needs those before it
  independent,  ///< items of the config, in any order
  chosen,       ///< items of the config: none stands for none, not for all
  /// run directories, two or more, NAME=DIR; the config is that of the first, and the stage's flag
  /// that gives run_dir is needed
  run_directories
};

constexpr auto names_of(Names) {
  return core::enum_names<Names>({{Names::none, "none"},
                                  {Names::ordered, "ordered"},
                                  {Names::independent, "independent"},
                                  {Names::chosen, "chosen"},
                                  {Names::run_directories, "run_directories"}});
}

enum class Force {
  nothing,     ///< --force changes nothing: no earlier work is kept
  start_over,  ///< --force starts the stage over
  changed      ///< --force starts those steps over whose inputs have changed
};

/// An option of one stage's command line that is short for --set.
struct Flag {
  std::string name;   ///< "--json"
  std::string key;    ///< of the config: "inspect.json"
  std::string value;  ///< that it gives to the key; empty: the argument that follows
  std::string help;   ///< one line
};

/// How a stage uses the run directory, from which follows what may run beside it.
enum class RunDirectory {
  none,
  untouched,  ///< looks at the config's inputs; beside anything
  read,       ///< reads the datastore; beside others that do not build
  verify,     ///< reads everything that is there; beside readers
  write,      ///< makes what no other stage reads, or evaluate and inspect alone; beside readers
  build       ///< makes what readers read; alone
};

using Items = std::vector<std::string>;

struct Stage {
  std::string name;
  std::string help;  ///< one line
  /// Runs it; `names`: those given on the command line. Collective.
  std::function<void(runtime::StageContext& context, const Options& options, const Items& names)>
      run;
  std::vector<StepFolder> folders = {};  ///< what it makes, in the order of its steps
  /// Keys of the config that it reads: "index.factory", or "index" for all below it.
  std::vector<std::string> keys = {};
  Names names = Names::none;
  std::vector<Flag> flags = {};
  Force force = Force::start_over;
  RunDirectory run_directory = RunDirectory::build;
  /// The items that `run` calls it for, "" where it is called without a name. None: it is no part
  /// of `run`.
  std::function<Items(const Options& options)> items = {};
};

/// All stages, in the order in which a run directory goes through them.
std::span<const Stage> stage_table();

/// The stage of this name, or null.
inline const Stage* find_stage(std::span<const Stage> stages, const std::string& name) {
  for (const auto& stage : stages) {
    if (stage.name == name) return &stage;
  }
  return nullptr;
}

/// A folder or step of the table with an item's name for its '*'.
std::string with_item(std::string pattern, const std::string& item);

/// The step whose manifest belongs into a folder of the run directory ("append/news/index"); empty
/// where the table has no such folder.
std::string step_in(const std::string& folder);

/// Names of all folders of stages that lie in the run directory itself.
std::vector<std::string> stage_folders();

}  // namespace knnseq::stages
