#include "text/line_reader.hpp"

#include <cerrno>
#include <cstring>

#include "core/error.hpp"

namespace knnseq::text {

namespace {

std::string_view without_carriage_return(std::string_view line) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace

LineReader::LineReader(std::filesystem::path path, std::int64_t offset)
    : path_(std::move(path)),
      file_(std::fopen(path_.c_str(), "rb")),
      buffer_(std::size_t{1} << 16) {
  if (file_ == nullptr) throw core::InputError(path_, "cannot be opened for reading");
  std::setvbuf(file_.get(), nullptr, _IONBF, 0);
  if (::fseeko(file_.get(), offset, SEEK_SET) != 0) throw core::SystemError("seek", path_, errno);
}

bool LineReader::fill() {
  position_ = 0;
  filled_ = std::fread(buffer_.data(), 1, buffer_.size(), file_.get());
  if (filled_ == 0 && std::ferror(file_.get()) != 0) throw core::SystemError("read", path_, errno);
  return filled_ > 0;
}

std::optional<std::string_view> LineReader::next() {
  line_.clear();
  while (position_ < filled_ || fill()) {
    const char* const begin = buffer_.data() + position_;
    const std::size_t available = filled_ - position_;
    const void* const newline = std::memchr(begin, '\n', available);
    if (newline == nullptr) {
      line_.append(begin, available);
      position_ = filled_;
      continue;
    }
    const auto length = static_cast<std::size_t>(static_cast<const char*>(newline) - begin);
    position_ += length + 1;
    if (line_.empty()) return without_carriage_return({begin, length});
    line_.append(begin, length);
    return without_carriage_return(line_);
  }
  if (line_.empty()) return std::nullopt;
  return without_carriage_return(line_);
}

}  // namespace knnseq::text
