// One command at a time in a run directory.
#pragma once

#include <condition_variable>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "runtime/lock_holder.hpp"

namespace knnseq::runtime {

struct LockTiming {
  double beat_seconds = 5;           ///< between two signs of life
  std::int64_t silent_seconds = 60;  ///< without one: the holder's node may be dead
};

/// Holds the lock until it is destroyed or the process ends. The file says who holds it, and a
/// thread writes a sign of life into it from time to time; kernel locks (flock) do not reach from
/// node to node on many shared file systems, and are only taken in addition. A lock is taken over
/// if its process is gone, if this Slurm job had it before it was requeued, or if its holder is
/// silent and stays so for two beats of watching (clocks of nodes may differ). A holder that was
/// stopped for long and finds that another has taken over ends its process.
class RunLock {
 public:
  /// Throws core::InputError naming host, process, job and age if another job holds the lock, or
  /// if the folder cannot be written to. builds: see LockHolder.
  explicit RunLock(std::filesystem::path file, const LockTiming& timing = {}, bool builds = true);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  /// What the file of a lock says of its holder, whether it is at work or not; nothing if it is
  /// free or damaged.
  static std::optional<LockHolder> holder_in(const std::filesystem::path& file);

  /// Whose lock was taken over and why; empty if it was free.
  const std::string& notice() const { return notice_; }

 private:
  void open_file();
  void take_over();
  bool try_to_take();
  void refuse(const std::optional<LockHolder>& holder) const;
  bool stays_silent(const LockHolder& holder) const;
  std::optional<LockHolder> read() const { return holder_in(file_); }
  bool write(const LockHolder& holder) const;
  void beat();

  std::filesystem::path file_;
  LockTiming timing_;
  LockHolder self_;
  std::string notice_;
  int fd_ = -1;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace knnseq::runtime
