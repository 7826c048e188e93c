#include "comm/shared_memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/huge_pages.hpp"
#include "core/types.hpp"

namespace knnseq::comm {

namespace {

struct FileDescriptor {
  int number = -1;

  FileDescriptor() = default;
  ~FileDescriptor() {
    if (number >= 0) ::close(number);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
};

[[noreturn]] void fail(const char* call, std::size_t bytes) {
  throw core::SystemError(fmt::format("{} bytes of memory shared by the ranks of a node: {}: {}",
                                      bytes, call, std::strerror(errno)));
}

}  // namespace

std::shared_ptr<std::byte> make_shared_memory(Communicator& sharers, std::size_t bytes) {
  const std::size_t size = core::whole_huge_pages(std::max<std::size_t>(bytes, 1));
  FileDescriptor file;
  std::string path;
  on_root(sharers, [&] {
    file.number = ::memfd_create("knnseq", MFD_CLOEXEC);
    if (file.number < 0 || ::ftruncate(file.number, static_cast<off_t>(size)) != 0) {
      fail("memfd_create", size);
    }
    path = fmt::format("/proc/{}/fd/{}", ::getpid(), file.number);
  });
  path = sharers.broadcast_string(path);
  std::byte* memory = nullptr;
  agree(sharers, [&] {  // also keeps root's file open until all have it
    if (!sharers.is_root()) file.number = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
    if (file.number < 0) throw core::SystemError("open", path, errno);
    memory = core::map_at_huge_page(size, file.number);
    if (memory == nullptr) fail("mmap", size);
  });
  // By all ranks together, each its part. The end that fills no huge page stays as it is.
  const core::Range part = core::even_part(static_cast<std::int64_t>(bytes / core::huge_page_bytes),
                                           sharers.rank(), sharers.size());
  core::collapse_to_huge_pages(
      memory + static_cast<std::size_t>(part.begin) * core::huge_page_bytes,
      static_cast<std::size_t>(part.size()) * core::huge_page_bytes);
  return {memory, [size](std::byte* p) { ::munmap(p, size); }};
}

bool can_share_memory(Communicator& sharers) {
  try {
    make_shared_memory(sharers, 1);
    return true;
  } catch (const AgreedError&) {
    return false;
  }
}

}  // namespace knnseq::comm
