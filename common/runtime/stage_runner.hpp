// The protocol all stages follow: skip what is done, go on with what is part done, refuse what was
// made from something else.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "core/files.hpp"
#include "runtime/stage_context.hpp"
#include "runtime/stage_record.hpp"
#include "store/manifest.hpp"

namespace knnseq::runtime {

/// What a stage made, for its manifest.
struct StageOutcome {
  /// The same bytes whatever the number of ranks was: no times, ranks or paths. Rank 0's counts.
  /// "files" (describe_files, file_sizes) lists what must be there for the stage to count as done;
  /// "aside" is what makes no difference to later stages (store::make_manifest).
  core::Json content;
  StageWork work;
};

struct StageDefinition {
  std::string name;              ///< "encode"; "decode-test-knn" for one of several
  std::filesystem::path folder;  ///< where it keeps everything it makes
  core::Json inputs;             ///< all that changes its results, by name; equal on all ranks
  std::function<StageOutcome()> work;
  /// What it makes beside its records, shard-* and their journals, and nobody else's: see
  /// StageFolder. Nothing else is removed when it starts over.
  std::vector<std::string> files = {};
  /// Inputs of the last step alone, which is done over again from what was committed: an unfinished
  /// stage goes on where they have changed, a finished one was made from them like from the others.
  core::Json last_step_inputs = core::Json::object();

  core::Json all_inputs() const;
};

/// Runs the stage, unless its manifest says that it is done for the same inputs. Writes the
/// manifest last. Throws core::InputError naming the changed inputs where the folder holds work
/// that was done or committed with others; with context.force that work is removed instead. Throws
/// it too where the folder, which must lie in context.run_dir, is not ours (StageFolder), and where
/// an input file has been edited meanwhile. Collective.
void run_stage(StageContext& context, const StageDefinition& stage);

/// Small results that a stage makes anew whenever it is called, in a folder of `run_dir`: the files
/// {name: text} and their manifest, which is not there while they are written. Throws
/// core::InputError where the folder is not ours (StageFolder). By one rank.
void write_results(const std::filesystem::path& run_dir, const std::filesystem::path& folder,
                   const std::string& stage, const core::Json& inputs,
                   const std::map<std::string, std::string>& files);

/// The manifest of a finished stage. Throws core::InputError where it is damaged or another
/// stage's, or, saying which command makes it, where there is none or one of another version.
store::Manifest require_manifest(const std::filesystem::path& folder, const std::string& stage,
                                 const std::string& command);

/// What a stage was begun with, as a name for what it commits on the way.
std::string begun_identity(const std::string& stage, const core::Json& inputs);
/// The same of the unfinished stage in this folder. Throws core::InputError where its state.json is
/// missing or damaged.
std::string begun_identity(const std::filesystem::path& folder);

/// {name: {"bytes", "fingerprint"}} of the named files in a folder, for StageOutcome::content.
core::Json describe_files(const std::filesystem::path& folder,
                          const std::vector<std::string>& names);
/// {name: {"bytes"}}: of files whose checksums stand in their shard's manifest.
core::Json file_sizes(const std::filesystem::path& folder, const std::vector<std::string>& names);

/// The path of a file of a finished stage whose bytes are those that its manifest says. Throws
/// core::InputError, naming the command that makes it again.
std::filesystem::path require_file(const std::filesystem::path& folder,
                                   const store::Manifest& manifest, const std::string& name,
                                   const std::string& command);

}  // namespace knnseq::runtime
