#include "core/input_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/file_kind.hpp"

namespace knnseq::core {

namespace {

const char* kind_of(mode_t mode) {
  if (S_ISDIR(mode)) return "a folder";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  return "a device";
}

}  // namespace

void require_regular(const struct stat& info, const std::filesystem::path& path) {
  if (S_ISREG(info.st_mode)) return;
  throw InputError(path, fmt::format("is not a regular file but {}", kind_of(info.st_mode)));
}

std::string no_such_file(const std::filesystem::path& path) {
  std::error_code error;
  const auto folder = std::filesystem::current_path(error);
  if (path.is_absolute() || error) return "no such file";
  return fmt::format("no such file; relative paths begin in the working directory, {}",
                     folder.string());
}

void require_model_path(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return;
  const auto name = path.string();
  std::string advice;
  if (std::ranges::count(name, '/') == 1 && !name.starts_with('/') && !name.starts_with('.')) {
    advice = fmt::format(
        ". A model of the Hugging Face hub has to be downloaded first: hf download {0} --local-dir "
        "models/{1}",
        name, path.filename().string());
  }
  throw InputError(path, no_such_file(path) + advice);
}

InputFile::InputFile(std::filesystem::path path) : path_(std::move(path)) {
  struct stat info {};
  // Before opening, which may affect a device, and after, when it can no longer change.
  if (::stat(path_.c_str(), &info) == 0) require_regular(info, path_);
  descriptor_ = ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (descriptor_ < 0) {
    const std::string reason = errno == ENOENT ? no_such_file(path_) : std::strerror(errno);
    throw InputError(path_, fmt::format("cannot be opened ({})", reason));
  }
  try {
    if (::fstat(descriptor_, &info) != 0) throw SystemError("fstat", path_, errno);
    require_regular(info, path_);
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
  bytes_ = info.st_size;
}

InputFile::InputFile(InputFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      bytes_(other.bytes_) {}

InputFile::~InputFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void InputFile::seek(std::int64_t offset) {
  if (::lseek(descriptor_, offset, SEEK_SET) < 0) throw SystemError("seek", path_, errno);
}

std::size_t InputFile::read(std::span<char> out) {
  std::size_t filled = 0;
  while (filled < out.size()) {
    const auto count = ::read(descriptor_, out.data() + filled, out.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw SystemError("read", path_, errno);
    if (count == 0) break;
    filled += static_cast<std::size_t>(count);
  }
  return filled;
}

std::string read_head(const std::filesystem::path& path, std::size_t most_bytes) {
  InputFile file(path);
  std::string head(most_bytes, '\0');
  head.resize(file.read(head));
  return head;
}

std::string read_whole(const std::filesystem::path& path, std::int64_t most_bytes) {
  InputFile file(path);
  std::string content;
  // The kernel's files (/proc) claim to be empty, and others may grow: read to the end.
  std::int64_t wanted = std::min(file.bytes(), most_bytes) + 1;
  for (;;) {
    const std::size_t before = content.size();
    content.resize(before + static_cast<std::size_t>(wanted));
    const std::size_t count = file.read(std::span(content).subspan(before));
    content.resize(before + count);
    if (std::ssize(content) > most_bytes) {
      throw InputError(path, fmt::format("has more than {} MiB, too much for a file of its kind",
                                         most_bytes >> 20));
    }
    if (count < static_cast<std::size_t>(wanted)) return content;
    wanted = std::int64_t{1} << 16;
  }
}

std::string read_model_file(const std::filesystem::path& path) {
  refuse_foreign(path, read_head(path, head_bytes));
  return read_whole(path, most_model_file_bytes);
}

}  // namespace knnseq::core
