#include "runtime/run_lock.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/own_files.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "obs/terminal.hpp"

namespace knnseq::runtime {

namespace {

/// The record is padded to this length and written at once, so that nobody reads half of it.
constexpr std::size_t record_bytes = 1024;
constexpr double patience_in_beats = 0.6;  ///< before a lock is refused

std::int64_t now_seconds() {
  using Seconds = std::chrono::seconds;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<Seconds>(now).count();
}

std::string age(std::int64_t seconds) {
  return obs::as_duration(static_cast<double>(std::max<std::int64_t>(seconds, 0)));
}

}  // namespace

RunLock::RunLock(std::filesystem::path file, const LockTiming& timing, bool builds)
    : file_(std::move(file)), timing_(timing), self_(this_process(now_seconds())) {
  self_.builds = builds;
  open_file();
  try {
    take_over();
  } catch (...) {
    ::close(fd_);
    throw;
  }
  thread_ = std::thread([this] { beat(); });
}

RunLock::~RunLock() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
  const auto holder = read();
  if (holder && holder->token == self_.token) {
    [[maybe_unused]] const int cleared = ::ftruncate(fd_, 0);  // else it is found to be stale
  }
  ::close(fd_);
}

void RunLock::open_file() {
  core::refuse_links(file_.parent_path(), file_);
  fd_ = ::open(file_.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
  if (fd_ >= 0) return;
  if (errno == EACCES || errno == EROFS || errno == EPERM) {
    throw core::InputError(file_.parent_path(),
                           fmt::format("cannot be written to ({})", std::strerror(errno)));
  }
  throw core::SystemError("open", file_, errno);
}

void RunLock::take_over() {
  // The ranks of a job that was ended a moment ago may still be dying.
  const obs::Stopwatch waited;
  while (!try_to_take()) {
    if (waited.seconds() > patience_in_beats * timing_.beat_seconds) refuse(read());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  if (!write(self_)) throw core::SystemError("write", file_, errno);
}

bool RunLock::try_to_take() {
  // Any other failure means that the file system has no such locks.
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) return false;
  const auto holder = read();
  if (!holder) return true;
  const auto state = judge(*holder, self_, process_is_there(*holder), timing_.silent_seconds);
  if (state == HolderState::at_work) return false;
  if (state == HolderState::silent && !stays_silent(*holder)) return false;
  notice_ = fmt::format("taking over the lock of {}: {}", holder->name(), describe(state));
  return true;
}

void RunLock::refuse(const std::optional<LockHolder>& holder) const {
  std::string who = "it has not said which";
  if (holder) {
    who = fmt::format("{}, for {}, last sign of life {} ago", holder->name(),
                      age(self_.since_seconds - holder->since_seconds),
                      age(self_.since_seconds - holder->beat_seconds));
  }
  throw core::InputError(file_.parent_path(), "is in use by another job: " + who);
}

bool RunLock::stays_silent(const LockHolder& holder) const {
  std::this_thread::sleep_for(std::chrono::duration<double>(2 * timing_.beat_seconds));
  const auto later = read();
  return later && later->token == holder.token && later->beat_seconds == holder.beat_seconds;
}

std::optional<LockHolder> RunLock::holder_in(const std::filesystem::path& file) {
  try {
    const auto text = core::read_file(file);
    if (text.find_first_not_of(" \n") == text.npos) return std::nullopt;
    return lock_holder_from(core::Json::parse(text));
  } catch (const core::Error&) {  // removed by hand
    return std::nullopt;
  } catch (const core::Json::exception&) {  // damaged: it names no holder
    return std::nullopt;
  }
}

bool RunLock::write(const LockHolder& holder) const {
  std::string record = to_json(holder).dump();
  record.resize(std::max(record.size() + 1, record_bytes), ' ');
  record.back() = '\n';
  const auto written = ::pwrite(fd_, record.data(), record.size(), 0);
  return written == static_cast<ssize_t>(record.size()) && ::fdatasync(fd_) == 0;
}

void RunLock::beat() {
  // Sooner the first time: another node may have taken the lock at the same moment.
  double wait_seconds = std::min(1.0, timing_.beat_seconds);
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, std::chrono::duration<double>(wait_seconds),
                            [this] { return ending_; })) {
    wait_seconds = timing_.beat_seconds;
    const auto holder = read();
    if (holder && holder->token != self_.token) {
      obs::say(fmt::format("knnseq: process {} on {}: {} has taken over the lock of {}; ending",
                           self_.pid, self_.host, holder->name(), file_.parent_path().string()));
      ::_exit(1);  // at once: both would write the same files
    }
    self_.beat_seconds = now_seconds();
    write(self_);  // if it fails now, the next beat may succeed
  }
}

}  // namespace knnseq::runtime
