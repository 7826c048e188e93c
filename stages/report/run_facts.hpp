// What a run directory says of how it was made.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "core/files.hpp"

namespace knnseq::stages {

/// A step that was finished, by its record.
struct RecordedStep {
  std::string name;   ///< "encode", "decode-test"
  core::Json record;  ///< records/<name>.json
  double began = 0;   ///< seconds since 1970
  double ended = 0;

  double seconds() const { return ended - began; }
};

struct LoggedWarning {
  std::string stage, message;
  std::int64_t times = 1;
};

/// Of log.jsonl.
struct LogFacts {
  std::map<std::string, std::string> ended;  ///< of each step: when it was last finished
  std::vector<LoggedWarning> warnings;       ///< in their order, each once
  /// Of the last training of each step: {what is trained: mean squared errors by iteration}.
  std::map<std::string, std::map<std::string, std::vector<double>>> errors;
};

/// Lines that are no JSON are left out, such as one that a killed process began to write.
LogFacts read_log(const std::filesystem::path& run_dir);

/// All steps with a record, in the order in which they began. Throws core::InputError for a damaged
/// record.
std::vector<RecordedStep> read_steps(const std::filesystem::path& run_dir, const LogFacts& log);

}  // namespace knnseq::stages
