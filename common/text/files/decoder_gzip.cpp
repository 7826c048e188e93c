#include <new>

#include <zlib.h>

#include "text/files/decoder.hpp"

namespace knnseq::text {

namespace {

class GzipDecoder final : public Decoder {
 public:
  GzipDecoder() {
    constexpr int only_gzip = 16;  // neither zlib's own wrapping nor none
    if (inflateInit2(&stream_, only_gzip + MAX_WBITS) != Z_OK) throw std::bad_alloc();
  }
  ~GzipDecoder() override { inflateEnd(&stream_); }

  void begin_frame() override { inflateReset(&stream_); }

  bool decode(std::span<const char>& in, std::span<char>& out) override {
    // zlib takes no const input, and does not write to it.
    stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
    stream_.avail_in = static_cast<uInt>(in.size());
    stream_.next_out = reinterpret_cast<Bytef*>(out.data());
    stream_.avail_out = static_cast<uInt>(out.size());
    const int code = inflate(&stream_, Z_NO_FLUSH);
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    if (code == Z_STREAM_END) return true;
    if (code == Z_MEM_ERROR) throw std::bad_alloc();
    if (code != Z_OK && code != Z_BUF_ERROR) {
      throw DecodeError(stream_.msg == nullptr ? "invalid data" : stream_.msg);
    }
    return false;
  }

 private:
  z_stream stream_{};
};

}  // namespace

std::unique_ptr<Decoder> make_gzip_decoder() { return std::make_unique<GzipDecoder>(); }

}  // namespace knnseq::text
