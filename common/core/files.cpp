#include "core/files.hpp"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <vector>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/input_file.hpp"
#include "core/parse_json.hpp"

namespace knnseq::core {

namespace {

void sync_path(const fs::path& path, int flags) {
  const int fd = ::open(path.c_str(), flags);
  if (fd < 0) throw SystemError("open", path, errno);
  const int failed = ::fsync(fd) != 0 ? errno : 0;
  ::close(fd);
  if (failed != 0) throw SystemError("fsync", path, failed);
}

fs::path folder_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

}  // namespace

std::string read_file(const fs::path& path) { return read_whole(path, no_limit); }

Json read_json(const fs::path& path) { return parse_json(read_model_file(path), path); }

void publish_file(const fs::path& path, const std::function<void(const fs::path&)>& write) {
  const fs::path temporary = path.string() + ".tmp";
  try {
    write(temporary);
  } catch (...) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    throw;
  }
  sync_path(temporary, O_RDONLY);
  if (::rename(temporary.c_str(), path.c_str()) != 0) throw SystemError("rename to", path, errno);
  sync_path(folder_of(path), O_RDONLY | O_DIRECTORY);
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

Json stamp_file(const fs::path& path, const Json& known) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw InputError(path, std::string("no such file (") + std::strerror(errno) + ")");
  }
  require_regular(info, path);
  const std::int64_t modified_ns = info.st_mtim.tv_sec * 1'000'000'000LL + info.st_mtim.tv_nsec;
  Json stamp = {{"path", path.string()}, {"bytes", info.st_size}, {"modified_ns", modified_ns}};
  const bool same = known.is_object() && known.value("path", "") == path.string() &&
                    known.value("bytes", std::int64_t{-1}) == info.st_size &&
                    known.value("modified_ns", std::int64_t{-1}) == modified_ns;
  stamp["fingerprint"] = same ? known.at("fingerprint") : Json(fingerprint_file(path));
  return stamp;
}

}  // namespace knnseq::core
