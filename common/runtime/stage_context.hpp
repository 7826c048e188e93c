// What every stage is given.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "core/files.hpp"
#include "gpu/placement.hpp"
#include "obs/log.hpp"
#include "runtime/provenance.hpp"

namespace knnseq::runtime {

struct StageContext {
  comm::Communicator& comm;
  obs::Log& log;
  std::filesystem::path run_dir;
  /// Start a stage over if its inputs changed (and, if it was named on the command line, in any
  /// case).
  enum class Force { no, changed, always } force = Force::no;
  std::string resolved_config;    ///< kept as config.yaml when a stage begins
  double timeout_seconds = 0;     ///< longest silence of the other ranks; 0: for ever
  gpu::Placement placement = {};  ///< where this rank computes
  /// Rank 0's: core::stamp_file() of what was fingerprinted for the stage that comes next.
  core::Json input_stamps = core::Json::array();
  bool keeps_stamps = true;    ///< whether stamps of input files are kept for later commands
  Provenance provenance = {};  ///< of this job, for records
  std::vector<std::string> overrides = {};  ///< of the config, as given to --set: "knn.k=8"
};

}  // namespace knnseq::runtime
