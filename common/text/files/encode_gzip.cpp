#include "text/files/encode_gzip.hpp"

#include <limits>
#include <new>

#include <zlib.h>

#include "core/error.hpp"

namespace knnseq::text {

std::string encode_gzip(std::string_view text) {
  if (text.size() > std::numeric_limits<uInt>::max()) {
    throw core::InputError("more than 4 GiB cannot be compressed at once");
  }
  constexpr int gzip = 16, usual_memory = 8;
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, gzip + MAX_WBITS, usual_memory,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
  std::string compressed(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  // zlib takes no const input, and does not write to it.
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(compressed.data());
  stream.avail_out = static_cast<uInt>(compressed.size());
  const int status = deflate(&stream, Z_FINISH);
  const auto unused = stream.avail_out;
  deflateEnd(&stream);
  KNNSEQ_ASSERT(status == Z_STREAM_END, "room for what deflateBound() says");
  compressed.resize(compressed.size() - unused);
  return compressed;
}

}  // namespace knnseq::text
