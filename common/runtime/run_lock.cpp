#include "runtime/run_lock.hpp"

#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/files.hpp"

namespace knnseq::runtime {

RunLock::RunLock(const std::filesystem::path& file) {
  fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd_ < 0) throw core::SystemError("open", file, errno);
  // Any other failure is a file system without locks, where the user must take care.
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(fd_);
    throw core::InputError(file.parent_path(),
                           "is in use by another job: " + core::first_line(core::read_file(file)));
  }
  char host[256] = "";
  ::gethostname(host, sizeof(host) - 1);
  const auto holder = fmt::format("process {} on {}\n", ::getpid(), host);
  if (::ftruncate(fd_, 0) != 0 || ::write(fd_, holder.data(), holder.size()) < 0) {
    const int failed = errno;
    ::close(fd_);
    throw core::SystemError("write", file, failed);
  }
}

RunLock::~RunLock() { ::close(fd_); }

}  // namespace knnseq::runtime
