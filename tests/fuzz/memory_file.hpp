// A file that is nowhere on the disk.
#pragma once

#include <cerrno>
#include <filesystem>
#include <string>
#include <string_view>

#include <sys/mman.h>
#include <unistd.h>

#include "core/error.hpp"

namespace knnseq::fuzz {

/// Gives readers of files their input at memory's speed; gone with this object.
class MemoryFile {
 public:
  explicit MemoryFile(std::string_view content) : fd_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    if (fd_ < 0) throw core::SystemError("memfd_create", "fuzz", errno);
    for (std::size_t at = 0; at < content.size();) {
      const auto written = ::write(fd_, content.data() + at, content.size() - at);
      if (written < 0) throw core::SystemError("write", path(), errno);
      at += static_cast<std::size_t>(written);
    }
  }
  ~MemoryFile() { ::close(fd_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  /// Good for any call that takes a path.
  std::filesystem::path path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  int fd_;
};

}  // namespace knnseq::fuzz
