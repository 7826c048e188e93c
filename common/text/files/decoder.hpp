// The compression formats that text is read in, each by its library. Private to this module.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <stdexcept>
#include <string_view>

namespace knnseq::text {

/// Why compressed bytes cannot be read.
struct DecodeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Decodes one frame after another. What a format calls a frame: gzip a member, bzip2 and xz a
/// stream. A file is one or more of them.
class Decoder {
 public:
  Decoder() = default;
  virtual ~Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  /// At the first byte of a frame.
  virtual void begin_frame() = 0;

  /// Reads from the front of `in` and writes to the front of `out`, and advances both past what was
  /// read and written. True if the frame has ended. Does nothing if it needs more bytes than
  /// there are. Throws DecodeError.
  virtual bool decode(std::span<const char>& in, std::span<char>& out) = 0;
};

struct Compression {
  const char* name;                       ///< as its program is called
  bool (*begins)(std::string_view head);  ///< whether a file that begins so is of this format
  std::unique_ptr<Decoder> (*make)();
};

/// The format of a file by its first bytes; null if it is none of these.
const Compression* compression_of(std::string_view head);

std::unique_ptr<Decoder> make_gzip_decoder();
std::unique_ptr<Decoder> make_bzip2_decoder();
std::unique_ptr<Decoder> make_xz_decoder();
std::unique_ptr<Decoder> make_zstd_decoder();

}  // namespace knnseq::text
