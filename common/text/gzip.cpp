#include "text/gzip.hpp"

#include <cerrno>
#include <fstream>
#include <memory>
#include <sstream>
#include <vector>

#include <fmt/format.h>
#include <zlib.h>

#include "core/error.hpp"
#include "core/files.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

struct GzipCloser {
  void operator()(gzFile file) const { gzclose_r(file); }
};
using GzipReader = std::unique_ptr<gzFile_s, GzipCloser>;

[[noreturn]] void throw_damaged(const fs::path& path, gzFile file) {
  int code = Z_OK;
  const std::string reason = gzerror(file, &code);
  if (code == Z_ERRNO) throw core::SystemError("read", path, errno);
  if (code == Z_BUF_ERROR) throw core::InputError(path, "gzip file is truncated");
  throw core::InputError(path, fmt::format("gzip file is damaged ({})", reason));
}

void unpack(const fs::path& path, std::ostream& out) {
  constexpr unsigned block_bytes = 1u << 20;
  const GzipReader reader(gzopen(path.c_str(), "rb"));
  if (reader == nullptr) throw core::SystemError("gzopen", path, errno);
  gzbuffer(reader.get(), block_bytes);
  std::vector<char> block(block_bytes);
  while (out) {
    const int count = gzread(reader.get(), block.data(), block_bytes);
    if (count < 0) throw_damaged(path, reader.get());
    if (count == 0) break;
    out.write(block.data(), count);
  }
  // A file that ends early gives what it has and then, without an error, its end.
  int code = Z_OK;
  gzerror(reader.get(), &code);
  if (code != Z_OK) throw_damaged(path, reader.get());
}

}  // namespace

bool is_gzip_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in || fs::is_directory(path)) throw core::InputError(path, "cannot be opened for reading");
  char magic[2] = {};
  in.read(magic, 2);
  return in.gcount() == 2 && magic[0] == '\x1f' && magic[1] == '\x8b';
}

void gunzip_file(const fs::path& in, const fs::path& out) {
  if (!is_gzip_file(in)) throw core::InputError(in, "is not a gzip file");
  core::publish_file(out, [&](const fs::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    if (!stream) throw core::SystemError("open", temporary, errno);
    unpack(in, stream);
    stream.close();
    if (!stream) throw core::SystemError("write", temporary, errno);
  });
}

std::string gunzip(const fs::path& file) {
  std::ostringstream content;
  unpack(file, content);
  return std::move(content).str();
}

}  // namespace knnseq::text
