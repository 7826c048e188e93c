// Pairs that a translator is taught while it works, kept as text in the run directory.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "runtime/run_lock.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// Lines of both sides; as many of each.
struct LearnedLines {
  std::vector<std::string> sources, targets;
};

/// The files learned/source and learned/target of a run directory: a pair a line, which an item of
/// `append:` can name as its text. Rank 0's alone.
class LearnedText {
 public:
  explicit LearnedText(const std::filesystem::path& run_dir);

  /// Pairs from the one numbered `first` (from 0) on. A pair of which only one side is there, after
  /// a crash, does not count. Throws core::InputError if a file is no text.
  LearnedLines read(std::int64_t first) const;

  /// Makes a pair durable; returns its number, from 0. From the first call on no other process can
  /// teach this run directory anything. Sides are one line each. Throws core::InputError if another
  /// process does that, core::SystemError if it cannot be written; then nothing of it is kept.
  std::int64_t append(const std::string& source, const std::string& target);

 private:
  void begin_writing();
  void cut(std::int64_t source_bytes, std::int64_t target_bytes) const;

  std::filesystem::path run_dir_, folder_, source_, target_;
  std::optional<runtime::RunLock> lock_;
  std::int64_t pairs_ = 0;                            ///< when writing
  std::int64_t source_bytes_ = 0, target_bytes_ = 0;  ///< of those pairs
};

/// How many of those pairs are in an index, since an appended corpus was made of their text.
std::int64_t appended_lines(const std::filesystem::path& run_dir, const BuiltDatastore& datastore);

}  // namespace knnseq::stages
