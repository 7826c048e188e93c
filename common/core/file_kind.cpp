#include "core/file_kind.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "core/error.hpp"
#include "core/utf8.hpp"

namespace knnseq::core {

namespace {

using std::string_view_literals::operator""sv;

struct Kind {
  std::size_t offset;
  std::string_view magic;
  const char* description;
};

constexpr std::array kinds{
    Kind{0, "version https://git-lfs.github.com/spec/"sv,
         "a pointer of git-lfs instead of the file itself; fetch that with git lfs pull"},
    Kind{0, "PK\x03\x04"sv, "a zip archive; unpack it first, for example with unzip"},
    Kind{0, "PK\x05\x06"sv, "an empty zip archive"},
    Kind{0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive; unpack it first, for example with 7z x"},
    Kind{0, "Rar!\x1A\x07"sv, "a rar archive; unpack it first, for example with unrar x"},
    Kind{257, "ustar"sv, "a tar archive; unpack it first, for example with tar -xf"},
    Kind{0, "\x1F\x8B"sv, "compressed by gzip; unpack it first with gunzip"},
    Kind{0, "\xFD\x37zXZ\0"sv, "compressed by xz; unpack it first with unxz"},
    Kind{0, "\x28\xB5\x2F\xFD"sv, "compressed by zstd; unpack it first with unzstd"},
    Kind{4, "1AY&SY"sv, "compressed by bzip2; unpack it first with bunzip2"},
    Kind{0, "\x04\x22\x4D\x18"sv, "compressed by lz4; unpack it first with unlz4"},
    Kind{0, "LZIP\x01"sv, "compressed by lzip; unpack it first with lzip -d"},
    Kind{0, "\x5D\0\0"sv, "compressed in the old lzma format; unpack it first with unlzma"},
    Kind{0, "\x1F\x9D"sv, "compressed by compress; unpack it first with uncompress"},
    Kind{0, "\x89HDF\r\n\x1A\n"sv, "an HDF5 file"},
    Kind{0, "PAR1\x15"sv, "a Parquet file"},
    Kind{0, "ARROW1\0\0"sv, "an Arrow file"},
    Kind{0, "SQLite format 3\0"sv, "an SQLite database"},
    Kind{0, "\x93NUMPY"sv, "a NumPy array"},
    Kind{0, "\x80\x02"sv, "a Python pickle"},
    Kind{0, "\x80\x04\x95"sv, "a Python pickle"},
    Kind{0, "\x80\x05\x95"sv, "a Python pickle"},
    Kind{0, "\x7F\x45LF"sv, "a program (ELF)"},
    Kind{0, "%PDF-"sv, "a PDF document; export its text first"},
    Kind{0, "{\\rtf"sv, "a document in rich text (RTF); export its text first"},
    Kind{0, "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv,
         "a document of an office program; export its text first"},
};

constexpr const char* web_page =
    "a web page (HTML) instead of the file itself; a download may have led to a page for people";

/// Whether the text begins with `lower`, which is in lower case; ignores case.
bool begins(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.begin(), [](char l, char c) {
           return l == (c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
         });
}

/// "text in UTF-16; …"
std::string encoded_as(const char* encoding) {
  return std::string("text in ") + encoding + ", and must be UTF-8; convert it with iconv -f " +
         encoding + " -t UTF-8";
}

std::optional<std::string> describe_marked(std::string_view head) {
  // A little-endian UTF-32 byte order mark begins like that of UTF-16.
  if (head.starts_with("\xFF\xFE\0\0"sv) || head.starts_with("\0\0\xFE\xFF"sv)) {
    return encoded_as("UTF-32");
  }
  if (head.starts_with("\xFF\xFE"sv) || head.starts_with("\xFE\xFF"sv)) return encoded_as("UTF-16");
  return std::nullopt;
}

/// Detects other encodings by NUL bytes, which are the upper bytes of ASCII characters there.
std::optional<std::string> describe_by_nuls(std::string_view head) {
  std::array<std::size_t, 4> nuls{};  // by position modulo 4
  for (std::size_t i = 0; i < head.size(); ++i) nuls[i % 4] += head[i] == '\0' ? 1 : 0;
  const std::size_t all = nuls[0] + nuls[1] + nuls[2] + nuls[3];
  constexpr std::size_t least = 8;  // fewer may be accidents
  if (all < least || all * 100 < head.size()) return std::nullopt;
  const auto filled = [&](std::size_t place) { return nuls[place] * 4 * 10 >= head.size() * 9; };
  const bool upper = filled(0) && filled(1);
  const bool lower = filled(2) && filled(3);
  if (upper != lower) return encoded_as(lower ? "UTF-32LE" : "UTF-32BE");
  // Chinese in UTF-16 has few ASCII characters, but is not valid UTF-8 either.
  const bool dense = all * 20 >= head.size();
  if (dense || !is_valid_utf8(head.substr(0, head.find_last_of('\n')))) {
    if ((nuls[1] + nuls[3]) * 3 >= all * 2) return encoded_as("UTF-16LE");
    if ((nuls[0] + nuls[2]) * 3 >= all * 2) return encoded_as("UTF-16BE");
  }
  if (dense) return "not text: it is full of NUL bytes";
  return std::nullopt;
}

/// Line ends of old Macintoshes: all lines would be read as one.
bool has_bare_returns(std::string_view head) {
  const auto text = head.substr(0, head.find_last_not_of('\r') + 1);
  return head.find('\n') == std::string_view::npos && std::ranges::count(text, '\r') >= 2;
}

}  // namespace

std::optional<std::string> describe_foreign(std::string_view head) {
  for (const Kind& kind : kinds) {
    if (head.size() > kind.offset && head.substr(kind.offset).starts_with(kind.magic)) {
      return kind.description;
    }
  }
  if (auto marked = describe_marked(head)) return marked;
  const std::string_view markup =
      head.substr(std::min(head.find_first_not_of(" \t\r\n"), head.size()));
  if (begins(markup, "<!doctype html") || begins(markup, "<html")) return web_page;
  return std::nullopt;
}

std::optional<std::string> describe_foreign_text(std::string_view head) {
  // A corpus of source code may begin with a tag.
  const bool tag = begins(head, "<html");
  if (auto known = tag ? std::nullopt : describe_foreign(head)) return known;
  if (auto other = describe_by_nuls(head)) return other;
  if (has_bare_returns(head)) {
    return "text whose lines end in carriage returns alone, and must end in line feeds; convert it "
           "with tr '\\r' '\\n'";
  }
  return std::nullopt;
}

void refuse_foreign(const std::filesystem::path& path, std::string_view head) {
  if (const auto kind = describe_foreign(head)) throw InputError(path, "is " + *kind);
}

}  // namespace knnseq::core
