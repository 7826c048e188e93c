// The program's arguments.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/config.hpp"
#include "stages/run/check_scope.hpp"
#include "stages/stage_table.hpp"

namespace knnseq::stages {

struct CommandLine {
  std::string stage;
  std::string config;
  std::string run;                     ///< of --run: `config` is then the one that it holds
  std::vector<std::string> overrides;  ///< of --set
  std::vector<std::string> names;      ///< what follows the stage, as in "decode test-knn"
  bool force = false;
  std::optional<CheckScope> check;  ///< of run: only look whether everything is there
  bool list = false;  ///< say what run consists of, or without a stage what stages there are
  bool print_config = false;  ///< say what the config comes to, and do nothing
  bool schema = false;        ///< say what a config may hold, as JSON schema
  bool help = false;
  bool version = false;
};

/// Throws core::InputError for arguments that are not understood or not for that stage.
CommandLine parse_command_line(int argc, const char* const* argv, std::span<const Stage> stages);

/// What --help prints.
std::string usage(std::span<const Stage> stages);

/// What --help prints after a stage; `keys`: all of the config.
std::string stage_help(const Stage& stage, std::span<const config::KnownKey> keys);

/// What --list prints without a stage: for each its name and what may follow it (none, ordered or
/// independent: see Names), for scripts.
std::string stage_list(std::span<const Stage> stages);

}  // namespace knnseq::stages
