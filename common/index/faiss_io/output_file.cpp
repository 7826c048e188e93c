#include "index/faiss_io/output_file.hpp"

#include <cerrno>
#include <string>

#include <fcntl.h>

#include "core/error.hpp"
#include "core/own_files.hpp"
#include "core/types.hpp"

namespace knnseq::index {

OutputFile::OutputFile(const std::filesystem::path& path)
    : path_(path), file_(::fdopen(core::open_own_file(path, O_RDWR | O_CREAT | O_TRUNC), "w+b")) {
  if (!file_) throw core::SystemError("open", path.string(), errno);
}

void OutputFile::take_back(std::string_view text) {
  std::string found(text.size(), '\0');
  const auto back = -static_cast<long>(text.size());
  check(std::fseek(handle(), back, SEEK_CUR) == 0, "seek");
  check(std::fread(found.data(), 1, found.size(), handle()) == found.size(), "read back");
  KNNSEQ_ASSERT(found == text, "faiss did not end the file as expected");
  check(std::fseek(handle(), back, SEEK_CUR) == 0, "seek");
}

void OutputFile::close() { check(std::fclose(file_.release()) == 0, "close"); }

void OutputFile::check(bool holds, const char* call) const {
  if (!holds) throw core::SystemError(call, path_.string(), errno);
}

}  // namespace knnseq::index
