// What a stage reports: lines for people on stderr, events for machines in log.jsonl.
#pragma once

#include <cstdio>
#include <filesystem>
#include <string>

#include "core/files.hpp"

namespace knnseq::obs {

/// Lines carry "[stage][r3/8]". info() speaks on rank 0 only, warn() on every rank that calls it.
/// event() appends one JSON object a line to log.jsonl in the run directory, on rank 0.
class Log {
 public:
  Log(int rank, int ranks) : rank_(rank), ranks_(ranks) {}
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// From now on events go to this file; appends. Rank 0 only, others ignore it.
  void open(const std::filesystem::path& file);
  /// From now on messages name this stage, that of a crash too (obs/crash_message.hpp).
  void set_stage(const std::string& stage);
  const std::string& stage() const { return stage_; }

  void info(const std::string& message);
  void warn(const std::string& message);
  /// One line that replaces the last one on a terminal and is an ordinary line elsewhere. Rank 0.
  void progress(const std::string& message);
  /// `fields` must be an object; "time", "stage" and "event" are added.
  void event(const std::string& name, core::Json fields = core::Json::object());

 private:
  std::string prefix() const;  ///< "[stage][r3/8] "

  int rank_;
  int ranks_;
  std::string stage_;
  std::FILE* file_ = nullptr;
};

}  // namespace knnseq::obs
