// Who holds the lock of a run directory, and whether that job can still be at work.
#pragma once

#include <cstdint>
#include <string>

#include "core/files.hpp"

namespace knnseq::runtime {

struct LockHolder {
  std::string host;
  std::int64_t pid = 0;
  /// The scope in which process numbers are unique: one boot of a kernel, and in it one namespace
  /// of process numbers (containers have their own).
  std::string process_space;
  std::uint64_t process_start = 0;  ///< clock ticks since boot: numbers of processes come again
  std::string job;                  ///< SLURM_JOB_ID; empty outside Slurm
  std::int64_t restarts = 0;        ///< SLURM_RESTART_COUNT: how often Slurm has requeued the job
  std::string token;                ///< random: tells holders apart that are otherwise alike
  std::int64_t since_seconds = 0;   ///< of the epoch, by the holder's clock
  std::int64_t beat_seconds = 0;    ///< last sign of life, likewise
  bool builds = true;               ///< whether it changes what others read: see reader_lock.hpp

  /// "process 7 on node3 (job 42)"
  std::string name() const;
};

core::Json to_json(const LockHolder& holder);
/// Throws if something is missing or of another type (nlohmann's exceptions), or a number is out
/// of its range (core::InputError).
LockHolder lock_holder_from(const core::Json& json);

/// This process, with a new token; `now_seconds` since the epoch.
LockHolder this_process(std::int64_t now_seconds);

enum class HolderState {
  at_work,   ///< or not known to be gone
  gone,      ///< its process is no more
  requeued,  ///< it was this very Slurm job before Slurm requeued it
  silent,    ///< no sign of life for too long: its node may be dead
};

/// What `self` can know of a holder. process_is_there: whether the process that holds the lock
/// runs, which is only believed within one process space. silent_seconds: after how long without a
/// sign of life a holder counts as silent.
HolderState judge(const LockHolder& holder, const LockHolder& self, bool process_is_there,
                  std::int64_t silent_seconds);

/// Whether the process of this number and start runs here.
bool process_is_there(const LockHolder& holder);

/// "that process is gone", for a notice.
std::string describe(HolderState state);

}  // namespace knnseq::runtime
