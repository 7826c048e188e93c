// The protocol all stages follow: skip finished work, resume unfinished work, refuse work that was
// made from other inputs.
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
  /// The same bytes for any number of ranks: no times, ranks or paths. Rank 0's is used.
  /// "files" (describe_files, file_sizes) lists what must be there for the stage to count as done;
  /// "aside" is what does not affect later stages (store::make_manifest).
  core::Json content;
  StageWork work;
};

struct StageDefinition {
  std::string name;              ///< "encode"; "decode-test-knn" for one of several
  std::filesystem::path folder;  ///< where it keeps everything it makes
  core::Json inputs;             ///< all that changes its results, by name; equal on all ranks
  std::function<StageOutcome()> work;
  /// Names of what only this stage makes, beside its records, shard-* and their journals: see
  /// StageFolder. Nothing else is removed when it starts over.
  std::vector<std::string> files = {};
  /// Inputs of the last step only, which is always redone from committed work: if they change, an
  /// unfinished stage resumes, but a finished one counts as made from other inputs.
  core::Json last_step_inputs = core::Json::object();

  core::Json all_inputs() const;
};

/// Runs the stage, unless its manifest says that it is done for the same inputs. Writes the
/// manifest last. Throws core::InputError naming the changed inputs if the folder holds work
/// that was done or committed with others; with context.force that work is removed instead. Throws
/// it too if the folder, which must lie in context.run_dir, is not ours (StageFolder), and if
/// an input file has been edited meanwhile. Collective.
void run_stage(StageContext& context, const StageDefinition& stage);

/// Writes small results that a stage makes anew on every call, in a folder of `run_dir`: the files
/// {name: text} and their manifest, which is absent while they are written. Throws core::InputError
/// if the folder is not ours (StageFolder). By one rank.
void write_results(const std::filesystem::path& run_dir, const std::filesystem::path& folder,
                   const std::string& stage, const core::Json& inputs,
                   const std::map<std::string, std::string>& files);

/// The manifest of a finished stage. Throws core::InputError if it is damaged or another
/// stage's, or, saying which command makes it, where there is none or one of another version.
store::Manifest require_manifest(const std::filesystem::path& folder, const std::string& stage,
                                 const std::string& command);

/// Identifies the inputs that a stage was begun with; names what it commits on the way.
std::string begun_identity(const std::string& stage, const core::Json& inputs);
/// The same for the unfinished stage in this folder. Throws core::InputError if its state.json is
/// missing or damaged.
std::string begun_identity(const std::filesystem::path& folder);

/// "wrote runs/demo/decode/knn/: hyp.txt, nbest.jsonl", or how many files there are, for the log.
std::string describe_written(const std::filesystem::path& folder,
                             const std::vector<std::string>& names);

/// {name: {"bytes", "fingerprint"}} of the named files in a folder, for StageOutcome::content.
core::Json describe_files(const std::filesystem::path& folder,
                          const std::vector<std::string>& names);
/// {name: {"bytes"}}: of files whose checksums stand in their shard's manifest.
core::Json file_sizes(const std::filesystem::path& folder, const std::vector<std::string>& names);

/// The path of a finished stage's file, if its bytes match its manifest. Otherwise throws
/// core::InputError, naming the command that makes it again.
std::filesystem::path require_file(const std::filesystem::path& folder,
                                   const store::Manifest& manifest, const std::string& name,
                                   const std::string& command);

}  // namespace knnseq::runtime
