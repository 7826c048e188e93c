#include "text/files/text_file.hpp"

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/file_kind.hpp"
#include "core/files.hpp"
#include "core/input_file.hpp"
#include "text/files/decoder.hpp"

namespace knnseq::text {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t longest_magic = 16;

class PlainText final : public TextFile {
 public:
  explicit PlainText(core::InputFile file) : file_(std::move(file)) {}
  std::size_t read(std::span<char> out) override { return file_.read(out); }

 private:
  core::InputFile file_;
};

class CompressedText final : public TextFile {
 public:
  CompressedText(core::InputFile file, const Compression& format)
      : file_(std::move(file)),
        format_(format.name),
        decoder_(format.make()),
        buffer_(std::size_t{1} << 18) {}

  std::size_t read(std::span<char> out) override {
    const std::size_t wanted = out.size();
    while (!out.empty()) {
      if (in_.empty()) fill();
      if (!in_frame_ && !begin_frame()) break;
      step(out);
    }
    return wanted - out.size();
  }

 private:
  void fill() {
    if (ended_) return;
    const std::size_t count = file_.read(buffer_);
    ended_ = count < buffer_.size();
    in_ = std::span<const char>(buffer_).first(count);
  }

  /// False at the file's end.
  bool begin_frame() {
    for (;;) {  // skips NUL bytes that fill up blocks
      const auto begin = std::find_if(in_.begin(), in_.end(), [](char c) { return c != '\0'; });
      in_ = in_.subspan(begin - in_.begin());
      if (!in_.empty()) break;
      if (ended_) return false;
      fill();
    }
    decoder_->begin_frame();
    in_frame_ = true;
    return true;
  }

  void step(std::span<char>& out) {
    const std::size_t before = in_.size() + out.size();
    try {
      in_frame_ = !decoder_->decode(in_, out);
    } catch (const DecodeError& error) {
      throw core::InputError(file_.path(),
                             fmt::format("{} file is damaged ({})", format_, error.what()));
    }
    if (!in_frame_ || in_.size() + out.size() < before) return;
    throw core::InputError(file_.path(), in_.empty() ? fmt::format("{} file is truncated", format_)
                                                     : fmt::format("{} file is damaged", format_));
  }

  core::InputFile file_;
  std::string format_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<char> buffer_;
  std::span<const char> in_;  ///< of the buffer, not decoded yet
  bool ended_ = false;        ///< nothing of the file is left after the buffer
  bool in_frame_ = false;
};

std::unique_ptr<TextFile> open_any(const fs::path& path) {
  const std::string head = core::read_head(path, longest_magic);
  core::InputFile file(path);
  if (const Compression* format = compression_of(head)) {
    return std::make_unique<CompressedText>(std::move(file), *format);
  }
  return std::make_unique<PlainText>(std::move(file));
}

}  // namespace

std::unique_ptr<TextFile> open_text(const fs::path& path) {
  std::string head(core::head_bytes, '\0');
  head.resize(open_any(path)->read(head));
  if (const auto kind = core::describe_foreign_text(head)) {
    const char* verb = is_compressed(path) ? "holds what is " : "is ";
    throw core::InputError(path, verb + *kind);
  }
  return open_any(path);
}

std::unique_ptr<TextFile> open_plain(const fs::path& path, std::int64_t offset) {
  core::InputFile file(path);
  file.seek(offset);
  return std::make_unique<PlainText>(std::move(file));
}

bool is_compressed(const fs::path& path) {
  return compression_of(core::read_head(path, longest_magic)) != nullptr;
}

void unpack_text(const fs::path& in, const fs::path& out) {
  const auto text = open_text(in);
  core::publish_file(out, [&](const fs::path& temporary) {
    std::ofstream stream(temporary, std::ios::binary | std::ios::trunc);
    if (!stream) throw core::SystemError("open", temporary, errno);
    std::vector<char> block(std::size_t{1} << 20);
    while (stream) {
      const std::size_t count = text->read(block);
      if (count == 0) break;
      stream.write(block.data(), static_cast<std::streamsize>(count));
    }
    stream.close();
    if (!stream) throw core::SystemError("write", temporary, errno);
  });
}

}  // namespace knnseq::text
