// The program's arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace knnseq::stages {

struct CommandLine {
  std::string stage;
  std::string config;
  std::vector<std::string> overrides;  ///< of --set
  std::vector<std::string> names;      ///< what follows the stage, as in "decode test-knn"
  bool force = false;
  bool list = false;  ///< of run: say what it consists of
  bool help = false;
  bool version = false;
};

/// Throws core::InputError for arguments that are not understood.
CommandLine parse_command_line(int argc, const char* const* argv);

/// What --help prints.
std::string usage();

}  // namespace knnseq::stages
