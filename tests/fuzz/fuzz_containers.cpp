// Compressed text: read in pieces of any size it is the same, and what the formats' libraries make
// of it at once; lines hold no more memory than their limit.
#include <optional>
#include <string>

#include <bzlib.h>
#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include "core/file_kind.hpp"
#include "fuzz.hpp"
#include "memory_file.hpp"
#include "text/files/read_lines.hpp"
#include "text/files/text_file.hpp"

using namespace knnseq;

namespace {

constexpr std::size_t most_bytes = std::size_t{1} << 20;  // of text that is compared

/// The whole text; std::nullopt if there is more than is compared.
std::optional<std::string> read_all(const std::filesystem::path& path, std::size_t step) {
  const auto file = text::open_text(path);
  std::string content;
  std::string block(step, '\0');
  while (const std::size_t count = file->read(block)) {
    content.append(block, 0, count);
    if (content.size() > most_bytes) return std::nullopt;
    if (count < step) break;
  }
  fuzz::require(file->read(block) == 0, "the end stays the end");
  return content;
}

// What is not one whole frame gives nothing.

std::optional<std::string> gunzip(std::string_view packed) {
  z_stream stream{};
  inflateInit2(&stream, 16 + MAX_WBITS);
  std::string text(most_bytes, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  const bool whole = inflate(&stream, Z_FINISH) == Z_STREAM_END && stream.avail_in == 0;
  text.resize(text.size() - stream.avail_out);
  inflateEnd(&stream);
  return whole ? std::optional(text) : std::nullopt;
}

std::optional<std::string> bunzip(std::string_view packed) {
  bz_stream stream{};
  BZ2_bzDecompressInit(&stream, 0, 0);
  std::string text(most_bytes, '\0');
  stream.next_in = const_cast<char*>(packed.data());
  stream.avail_in = static_cast<unsigned>(packed.size());
  stream.next_out = text.data();
  stream.avail_out = static_cast<unsigned>(text.size());
  const bool whole = BZ2_bzDecompress(&stream) == BZ_STREAM_END && stream.avail_in == 0;
  text.resize(text.size() - stream.avail_out);
  BZ2_bzDecompressEnd(&stream);
  return whole ? std::optional(text) : std::nullopt;
}

std::optional<std::string> unxz(std::string_view packed) {
  std::string text(most_bytes, '\0');
  std::uint64_t memory = std::uint64_t{256} << 20;
  std::size_t in = 0;
  std::size_t out = 0;
  const auto code = lzma_stream_buffer_decode(
      &memory, 0, nullptr, reinterpret_cast<const std::uint8_t*>(packed.data()), &in, packed.size(),
      reinterpret_cast<std::uint8_t*>(text.data()), &out, text.size());
  text.resize(out);
  return code == LZMA_OK && in == packed.size() ? std::optional(text) : std::nullopt;
}

std::optional<std::string> unzstd(std::string_view packed) {
  std::string text(most_bytes, '\0');
  const auto size = ZSTD_decompress(text.data(), text.size(), packed.data(), packed.size());
  if (ZSTD_isError(size) != 0) return std::nullopt;
  text.resize(size);
  return text;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = fuzz::as_text(data, size);
  const fuzz::MemoryFile file(input);
  std::optional<std::string> whole;
  bool refused = true;
  fuzz::read([&] {
    whole = read_all(file.path(), std::size_t{1} << 16);
    refused = false;
  });
  if (!refused && whole && whole->size() < 10'000) {
    fuzz::require(read_all(file.path(), 1) == whole, "byte by byte it is the same");
    fuzz::require(read_all(file.path(), 4093) == whole, "in other pieces it is the same");
  }
  if (!text::is_compressed(file.path())) {
    fuzz::require(refused || !whole || *whole == input, "plain text is as it is");
  } else {
    for (const auto decode : {gunzip, bunzip, unxz, unzstd}) {
      const auto expected = decode(input);
      if (!expected) continue;
      const auto head = std::string_view(*expected).substr(0, core::head_bytes);
      if (core::describe_foreign_text(head)) {
        fuzz::require(refused, "what is no text is refused");
      } else {
        fuzz::require(!refused && (!whole || *whole == *expected), "libraries read the same");
      }
    }
  }
  fuzz::read([&] {
    const text::TextLimits limits{.line_bytes = 1000, .bytes = 100'000, .lines = 1000};
    std::size_t bytes = 0;
    for (const auto& line : text::read_lines(file.path(), limits)) bytes += line.size();
    fuzz::require(bytes <= limits.bytes, "limits are kept");
  });
  return 0;
}
