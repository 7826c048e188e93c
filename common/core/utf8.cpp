#include "core/utf8.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/error.hpp"
#include "core/utf8_repair.hpp"

namespace knnseq::core {

namespace {

bool is_continuation(unsigned char byte) { return (byte & 0xC0u) == 0x80u; }

/// How many bytes from the start come in blocks of eight that are ASCII.
std::size_t ascii_prefix(std::string_view bytes) {
  std::size_t position = 0;
  for (; position + sizeof(std::uint64_t) <= bytes.size(); position += sizeof(std::uint64_t)) {
    std::uint64_t block = 0;
    std::memcpy(&block, bytes.data() + position, sizeof block);
    if ((block & 0x8080808080808080u) != 0) break;
  }
  return position;
}

/// Position of the last character of valid, non-empty UTF-8.
std::size_t last_character(std::string_view text) {
  std::size_t position = text.size() - 1;
  while (position > 0 && is_continuation(static_cast<unsigned char>(text[position]))) --position;
  return position;
}

}  // namespace

std::size_t character_length(std::string_view bytes) {
  const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const unsigned char first = at(0);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || bytes.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(at(i))) return 0;
  }
  const unsigned char second = at(1);
  const bool overlong = (first == 0xE0 && second < 0xA0) || (first == 0xF0 && second < 0x90);
  const bool surrogate = first == 0xED && second > 0x9F;
  const bool too_large = first == 0xF4 && second > 0x8F;
  return overlong || surrogate || too_large ? 0 : length;
}

bool is_valid_utf8(std::string_view bytes) {
  while (!bytes.empty()) {
    std::size_t length = ascii_prefix(bytes);
    if (length == 0) length = character_length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string replace_invalid_utf8(std::string_view bytes) {
  constexpr std::string_view replacement = "\uFFFD";
  std::string text;
  while (!bytes.empty()) {
    const std::size_t length = character_length(bytes);
    text.append(length == 0 ? replacement : bytes.substr(0, length));
    bytes.remove_prefix(std::max<std::size_t>(length, 1));
  }
  return text;
}

bool is_valid_text(std::string_view bytes) {
  return bytes.find('\0') == std::string_view::npos && is_valid_utf8(bytes);
}

char32_t next_code_point(std::string_view text, std::size_t& position) {
  const auto first = static_cast<unsigned char>(text[position++]);
  if (first < 0x80) return first;
  const int more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  char32_t c = first & (0x3Fu >> more);
  for (int i = 0; i < more && position < text.size(); ++i) {
    c = (c << 6) | (static_cast<unsigned char>(text[position++]) & 0x3Fu);
  }
  return c;
}

std::u32string decode_utf8(std::string_view bytes) {
  if (!is_valid_utf8(bytes)) throw InputError("text is not valid UTF-8");
  std::u32string result;
  result.reserve(bytes.size());
  for (std::size_t i = 0; i < bytes.size();) result.push_back(next_code_point(bytes, i));
  return result;
}

bool is_white_space(char32_t c) {
  if (c <= 0x20) return c == 0x20 || (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x1F);
  return c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 ||
         c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

std::string_view strip(std::string_view text) {
  while (!text.empty()) {
    std::size_t length = 0;
    if (!is_white_space(next_code_point(text, length))) break;
    text.remove_prefix(length);
  }
  return strip_end(text);
}

std::string_view strip_end(std::string_view text) {
  while (!text.empty()) {
    const std::size_t last = last_character(text);
    std::size_t position = last;
    if (!is_white_space(next_code_point(text, position))) break;
    text = text.substr(0, last);
  }
  return text;
}

std::vector<std::string_view> split_words(std::string_view text) {
  std::vector<std::string_view> words;
  std::size_t begin = 0;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t here = i;
    if (!is_white_space(next_code_point(text, i))) continue;
    if (here > begin) words.push_back(text.substr(begin, here - begin));
    begin = i;
  }
  if (begin < text.size()) words.push_back(text.substr(begin));
  return words;
}

}  // namespace knnseq::core
