#include "core/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/file_identity.hpp"
#include "core/hash.hpp"
#include "core/input_file.hpp"
#include "core/own_files.hpp"
#include "core/parse_json.hpp"

namespace knnseq::core {

namespace {

void sync_file(const fs::path& path) {
  const int fd = open_own_file(path, O_RDONLY);
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) throw SystemError("fsync", path, failed);
}

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * 1'000'000'000LL + time.tv_nsec;
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

std::string read_file(const fs::path& path) { return read_whole(path, no_limit); }

Json read_json(const fs::path& path) { return parse_json(read_model_file(path), path); }

void publish_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path temporary = path.string() + ".tmp";
  ::close(create_own_file(temporary));  // the file of that name is now ours, and not a link
  try {
    write(temporary);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_file(temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw SystemError("rename to", path, errno);
  sync_folder(folder_of(path));
}

void write_file_durably(const fs::path& path, std::string_view content) {
  publish_file(path, [&](const fs::path& temporary) {
    std::ofstream out(temporary, std::ios::binary | std::ios::trunc);
    out.write(content.data(), static_cast<std::streamsize>(content.size()));
    out.close();
    if (!out) throw SystemError("write", temporary, errno);
  });
}

void make_directories(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) throw SystemError("mkdir", path, error.value());
}

std::string fingerprint_file(const fs::path& path) {
  InputFile file(path);
  Fingerprinter fingerprinter;
  std::vector<char> buffer(std::size_t{1} << 20);
  while (const std::size_t count = file.read(buffer)) {
    fingerprinter.update(std::as_bytes(std::span(buffer.data(), count)));
  }
  return fingerprinter.digest();
}

Json file_identity(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw InputError(path, errno == ENOENT ? no_such_file(path) : std::strerror(errno));
  }
  require_regular(info, path);
  return {{"path", path.string()},
          {"bytes", info.st_size},
          {"modified_ns", nanoseconds(info.st_mtim)},
          {"changed_ns", nanoseconds(info.st_ctim)},
          {"inode", info.st_ino},
          {"device", info.st_dev}};
}

Json stamp_file(const fs::path& path, const Json& known) {
  Json stamp = file_identity(path);
  const Json fingerprint = known.is_object() ? known.value("fingerprint", Json()) : Json();
  Json same = stamp;
  same["fingerprint"] = fingerprint;
  stamp["fingerprint"] =
      fingerprint.is_string() && known == same ? fingerprint : Json(fingerprint_file(path));
  return stamp;
}

}  // namespace knnseq::core
