// One command at a time in a run directory.
#pragma once

#include <filesystem>

namespace knnseq::runtime {

/// Holds an advisory lock (flock) on a file until it is destroyed or the process ends. The file
/// says which host and process hold it.
class RunLock {
 public:
  /// Throws core::InputError naming the holder where another process has the lock.
  explicit RunLock(const std::filesystem::path& file);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int fd_ = -1;
};

}  // namespace knnseq::runtime
