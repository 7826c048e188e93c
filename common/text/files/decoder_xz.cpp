#include <cstdint>
#include <new>

#include <lzma.h>

#include "text/files/decoder.hpp"

namespace knnseq::text {

namespace {

/// xz -9 makes files that take 65 MiB to unpack; only special dictionaries take more than this.
constexpr std::uint64_t most_memory = std::uint64_t{256} << 20;

class XzDecoder final : public Decoder {
 public:
  ~XzDecoder() override { lzma_end(&stream_); }

  void begin_frame() override {
    if (lzma_stream_decoder(&stream_, most_memory, 0) != LZMA_OK) throw std::bad_alloc();
  }

  bool decode(std::span<const char>& in, std::span<char>& out) override {
    stream_.next_in = reinterpret_cast<const std::uint8_t*>(in.data());
    stream_.avail_in = in.size();
    stream_.next_out = reinterpret_cast<std::uint8_t*>(out.data());
    stream_.avail_out = out.size();
    const lzma_ret code = lzma_code(&stream_, LZMA_RUN);
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    switch (code) {
      case LZMA_STREAM_END:
        return true;
      case LZMA_OK:
      case LZMA_BUF_ERROR:  // nothing could be done
        return false;
      case LZMA_MEM_ERROR:
        throw std::bad_alloc();
      case LZMA_MEMLIMIT_ERROR:
        throw DecodeError("unpacking it takes more than 256 MiB of memory");
      case LZMA_FORMAT_ERROR:
        throw DecodeError("incorrect header");
      case LZMA_OPTIONS_ERROR:
        throw DecodeError("it uses options that this liblzma does not know");
      default:
        throw DecodeError("invalid data");
    }
  }

 private:
  lzma_stream stream_ = LZMA_STREAM_INIT;
};

}  // namespace

std::unique_ptr<Decoder> make_xz_decoder() { return std::make_unique<XzDecoder>(); }

}  // namespace knnseq::text
