#include "text/files/line_reader.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace knnseq::text {

namespace {

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

LineReader::LineReader(std::unique_ptr<TextFile> text, std::size_t longest)
    : text_(std::move(text)), longest_(longest), buffer_(std::size_t{1} << 16) {}

bool LineReader::fill() {
  position_ = 0;
  filled_ = text_->read(buffer_);
  return filled_ > 0;
}

void LineReader::keep(const char* begin, std::size_t count) {
  constexpr std::size_t more = 2;  // one byte says that it is too long, one may be a line end's
  line_.append(begin, std::min(count, longest_ + more - line_.size()));
  spans_ = true;
}

std::optional<std::string_view> LineReader::next() {
  line_.clear();
  spans_ = false;
  const auto cut = [&](std::string_view line) {
    return without_carriage_return(line).substr(0, longest_ + 1);
  };
  while (position_ < filled_ || fill()) {
    const char* const begin = buffer_.data() + position_;
    const std::size_t available = filled_ - position_;
    const void* const newline = std::memchr(begin, '\n', available);
    if (newline == nullptr) {
      keep(begin, available);
      position_ = filled_;
      continue;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - begin);
    position_ += length + 1;
    if (!spans_) return cut({begin, length});
    keep(begin, length);
    return cut(line_);
  }
  if (!spans_) return std::nullopt;
  return cut(line_);
}

}  // namespace knnseq::text
