#include "text/files/decoder.hpp"

#include <array>

namespace knnseq::text {

namespace {

using std::string_view_literals::operator""sv;

bool begins_gzip(std::string_view head) { return head.starts_with("\x1F\x8B"sv); }

bool begins_bzip2(std::string_view head) {
  if (!head.starts_with("BZh"sv) || head.size() < 4 || head[3] < '1' || head[3] > '9') return false;
  const std::string_view block = head.substr(4);  // the first one, or the end of an empty stream
  return block.starts_with("1AY&SY"sv) || block.starts_with("\x17rE8P\x90"sv);
}

bool begins_xz(std::string_view head) { return head.starts_with("\xFD\x37zXZ\0"sv); }

bool begins_zstd(std::string_view head) {
  const bool skippable = head.size() >= 4 && (head[0] & 0xF0) == 0x50;
  return head.starts_with("\x28\xB5\x2F\xFD"sv) ||
         (skippable && head.substr(1).starts_with("\x2A\x4D\x18"sv));
}

constexpr std::array formats{
    Compression{"gzip", begins_gzip, make_gzip_decoder},
    Compression{"bzip2", begins_bzip2, make_bzip2_decoder},
    Compression{"xz", begins_xz, make_xz_decoder},
    Compression{"zstd", begins_zstd, make_zstd_decoder},
};

}  // namespace

const Compression* compression_of(std::string_view head) {
  for (const Compression& format : formats) {
    if (format.begins(head)) return &format;
  }
  return nullptr;
}

}  // namespace knnseq::text
