#include <new>

#include <bzlib.h>

#include "text/files/decoder.hpp"

namespace knnseq::text {

namespace {

class Bzip2Decoder final : public Decoder {
 public:
  ~Bzip2Decoder() override { BZ2_bzDecompressEnd(&stream_); }  // also what never began

  void begin_frame() override {
    BZ2_bzDecompressEnd(&stream_);
    stream_ = {};
    if (BZ2_bzDecompressInit(&stream_, /*verbosity=*/0, /*small=*/0) != BZ_OK) {
      throw std::bad_alloc();
    }
  }

  bool decode(std::span<const char>& in, std::span<char>& out) override {
    // The library takes no const input, and does not write to it.
    stream_.next_in = const_cast<char*>(in.data());
    stream_.avail_in = static_cast<unsigned>(in.size());
    stream_.next_out = out.data();
    stream_.avail_out = static_cast<unsigned>(out.size());
    const int code = BZ2_bzDecompress(&stream_);
    in = in.last(stream_.avail_in);
    out = out.last(stream_.avail_out);
    if (code == BZ_STREAM_END) return true;
    if (code == BZ_MEM_ERROR) throw std::bad_alloc();
    if (code != BZ_OK) {
      throw DecodeError(code == BZ_DATA_ERROR_MAGIC ? "incorrect header" : "invalid data");
    }
    return false;
  }

 private:
  bz_stream stream_{};
};

}  // namespace

std::unique_ptr<Decoder> make_bzip2_decoder() { return std::make_unique<Bzip2Decoder>(); }

}  // namespace knnseq::text
