// What there is to check in a run directory.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.hpp"

namespace knnseq::stages {

enum class CheckKind : std::int64_t {
  known_damage,  ///< `name` says what is wrong: found while looking for checks
  known_good,    ///< read while looking for checks
  file,          ///< facts: {"bytes", "fingerprint"}
  rows,          ///< facts: {"structure", "units"} of an HDF5 file
  shard,         ///< of a finished stage; its files are described by shard-*.json
  // Of unfinished stages; facts: the stage's begun_identity().
  begun_shard,     ///< its structure, journals and committed rows
  finished_shard,  ///< shard-*.json and what it describes
  journal,         ///< its records
  sample,          ///< sample.json of encode
  checkpoint,      ///< of train
};

/// One or two files to be read by one rank.
struct Check {
  CheckKind kind = CheckKind::file;
  std::string folder;  ///< below the run directory
  std::string name;    ///< of a file or shard in it
  std::int64_t files = 1;
  std::int64_t bytes = 0;
  core::Json facts;
};

core::Json to_json(const Check& check);
Check check_from(const core::Json& json);

/// Reads the manifests of all finished stages and the state of unfinished ones. The stages' folders
/// are found by these files, whatever the config says now.
std::vector<Check> plan_verification(const std::filesystem::path& run_dir);

}  // namespace knnseq::stages
