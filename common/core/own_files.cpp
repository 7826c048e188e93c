#include "core/own_files.hpp"

#include <cerrno>
#include <mutex>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"

namespace knnseq::core {

namespace {

constexpr mode_t file_mode = 0666;
constexpr mode_t folder_mode = 0777;

std::mutex unsynced_mutex;
std::string unsynced;  ///< see unsynced_folder()

[[noreturn]] void throw_link(const fs::path& path) {
  throw InputError(path,
                   "is a symbolic link, which knnseq does not follow in a run directory; put what "
                   "it leads to in its place (run_dir itself may be a link)");
}

bool is_link(const fs::path& path) {
  std::error_code error;
  return fs::is_symlink(fs::symlink_status(path, error));
}

/// Whether an error means that the file system cannot fsync a folder.
bool means_not_implemented(int error) {
  return error == EINVAL || error == EOPNOTSUPP || error == ENOSYS || error == EBADF;
}

/// Calls visit(folder) for each folder below `base` on the way to `path`, and for `path`.
template <class Visit>
void for_each_below(const fs::path& base, const fs::path& path, Visit visit) {
  fs::path folder = base;
  for (const auto& part : path.lexically_relative(base)) {
    KNNSEQ_ASSERT(part != "..", path.string() + " does not lie in " + base.string());
    if (part.empty() || part == ".") continue;
    folder /= part;
    visit(folder);
  }
}

}  // namespace

int open_own_file(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, file_mode);
  if (fd >= 0) return fd;
  const int failed = errno;
  if (is_link(path)) throw_link(path);
  throw SystemError("open", path, failed);
}

void remove_own_file(const fs::path& path) {
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) throw SystemError("remove", path, errno);
}

int create_own_file(const fs::path& path) {
  remove_own_file(path);
  return open_own_file(path, O_RDWR | O_CREAT | O_EXCL);
}

void make_own_folders(const fs::path& base, const fs::path& path) {
  for_each_below(base, path, [](const fs::path& folder) {
    if (::mkdir(folder.c_str(), folder_mode) == 0) return;
    const int failed = errno;
    if (is_link(folder)) throw_link(folder);
    if (failed != EEXIST) throw SystemError("mkdir", folder, failed);
    if (!fs::is_directory(folder)) throw InputError(folder, "is not a folder");
  });
}

void refuse_links(const fs::path& base, const fs::path& path) {
  for_each_below(base, path, [](const fs::path& folder) {
    if (is_link(folder)) throw_link(folder);
  });
}

void sync_folder(const fs::path& folder) {
  const int fd = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) throw SystemError("open", folder, errno);
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed == 0) return;
  if (!means_not_implemented(failed)) throw SystemError("fsync", folder, failed);
  const std::lock_guard lock(unsynced_mutex);
  if (unsynced.empty()) unsynced = folder.string();
}

std::string unsynced_folder() {
  const std::lock_guard lock(unsynced_mutex);
  return unsynced;
}

}  // namespace knnseq::core
