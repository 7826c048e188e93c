// Commands that only read a run directory share it with each other.
//
// A command that reads has a file of its own in `readers/`, with a lock as RunLock keeps it. Those
// that change something hold the lock of the run directory, one at a time. Only those that change
// what is read (LockHolder::builds) and readers exclude each other: whoever comes first.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "runtime/run_lock.hpp"

namespace knnseq::runtime {

/// The folder of readers.
inline constexpr const char* readers_name = "readers";

class ReaderLock {
 public:
  /// Throws core::InputError as RunLock if a command is at work that changes what is read.
  explicit ReaderLock(const std::filesystem::path& run_dir, const LockTiming& timing = {});
  ~ReaderLock();
  ReaderLock(const ReaderLock&) = delete;
  ReaderLock& operator=(const ReaderLock&) = delete;

  /// Whose lock was found to be left behind; empty: nobody's.
  const std::string& notice() const { return notice_; }

 private:
  void give_up();

  std::filesystem::path file_;
  std::optional<RunLock> lock_;
  std::string notice_;
};

/// For the holder of the run directory's lock, before it changes what readers read. Throws
/// core::InputError naming a reader that is at work; removes what dead ones have left.
void refuse_readers(const std::filesystem::path& run_dir, const LockTiming& timing = {});

}  // namespace knnseq::runtime
