// How fast the stages of a finished run were, and what they took.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "core/files.hpp"
#include "stages/shared/options/options.hpp"
#include "stages/shared/plan/needs.hpp"

namespace knnseq::stages {

/// A run that was measured: what it worked on, and the records of its stages.
struct Rates {
  std::string config;                         ///< YAML, with all defaults
  Options options;                            ///< the same, read
  Needs needs;                                ///< without model_bytes
  std::map<std::string, core::Json> records;  ///< by step, as runtime::record_stage() wrote them

  /// The record of a step, or null.
  const core::Json* find(const std::string& step) const;
};

/// Of a run directory whose stages partition to add are finished. Throws core::InputError naming
/// what is missing.
Rates rates_of_run(const std::filesystem::path& run_dir);

/// Of a run directory, or of a file of write_rates(). Throws core::InputError.
Rates read_rates(const std::filesystem::path& path);

/// Keeps them in one file that can be taken to another machine.
void write_rates(const std::filesystem::path& file, const Rates& rates);

}  // namespace knnseq::stages
