// Reads a file line by line from any offset. Private to this module.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace knnseq::text {

/// Lines of any length. Throws InputError where the file cannot be opened, SystemError where it
/// cannot be read.
class LineReader {
 public:
  /// Starts at `offset` bytes.
  LineReader(std::filesystem::path path, std::int64_t offset);

  /// The next line without its "\n" or "\r\n", valid until the next call; nothing at the end.
  std::optional<std::string_view> next();

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  bool fill();

  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::vector<char> buffer_;
  std::size_t position_ = 0;
  std::size_t filled_ = 0;
  std::string line_;  ///< a line that spans buffers
};

}  // namespace knnseq::text
