// What every stage is given.
#pragma once

#include <filesystem>

#include "comm/communicator.hpp"
#include "obs/log.hpp"

namespace knnseq::runtime {

struct StageContext {
  comm::Communicator& comm;
  obs::Log& log;
  std::filesystem::path run_dir;
  /// Start a stage over whose inputs have changed (and, if it was named on the command line, in any
  /// case).
  enum class Force { no, changed, always } force = Force::no;
};

}  // namespace knnseq::runtime
