#include <new>

#include <zstd.h>

#include "text/files/decoder.hpp"

namespace knnseq::text {

namespace {

/// Windows are zstd's default at most, 128 MiB: more takes --long=28 and above.
class ZstdDecoder final : public Decoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    if (context_ == nullptr) throw std::bad_alloc();
  }
  ~ZstdDecoder() override { ZSTD_freeDCtx(context_); }

  void begin_frame() override { ZSTD_DCtx_reset(context_, ZSTD_reset_session_only); }

  bool decode(std::span<const char>& in, std::span<char>& out) override {
    ZSTD_inBuffer from{in.data(), in.size(), 0};
    ZSTD_outBuffer to{out.data(), out.size(), 0};
    const std::size_t code = ZSTD_decompressStream(context_, &to, &from);
    in = in.subspan(from.pos);
    out = out.subspan(to.pos);
    if (ZSTD_isError(code) != 0) throw DecodeError(ZSTD_getErrorName(code));
    return code == 0;
  }

 private:
  ZSTD_DCtx* context_;
};

}  // namespace

std::unique_ptr<Decoder> make_zstd_decoder() { return std::make_unique<ZstdDecoder>(); }

}  // namespace knnseq::text
