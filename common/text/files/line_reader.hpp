// Cuts text into lines. Private to this module.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/files/text_file.hpp"

namespace knnseq::text {

/// The lines of a text, of which at most `longest` bytes are held at a time.
class LineReader {
 public:
  LineReader(std::unique_ptr<TextFile> text, std::size_t longest);

  /// The next line without its "\n" or "\r\n", valid until the next call; std::nullopt at the end.
  /// If it has more than `longest` bytes, the first `longest` + 1. Throws as TextFile::read.
  std::optional<std::string_view> next();

 private:
  bool fill();
  void keep(const char* begin, std::size_t count);

  std::unique_ptr<TextFile> text_;
  std::size_t longest_;
  std::vector<char> buffer_;
  std::size_t position_ = 0;
  std::size_t filled_ = 0;
  bool spans_ = false;  ///< the line began in an earlier buffer
  std::string line_;    ///< what is kept of one that does
};

}  // namespace knnseq::text
