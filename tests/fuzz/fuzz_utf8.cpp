// UTF-8: what counts as valid is decoded, and encoded again to the same bytes; nothing else is.
#include <string>

#include "core/utf8.hpp"
#include "fuzz.hpp"

using namespace knnseq;

namespace {

void append(std::string& text, char32_t c) {
  const auto byte = [&](char32_t value) { text += static_cast<char>(value); };
  if (c < 0x80) {
    byte(c);
  } else if (c < 0x800) {
    byte(0xC0 | c >> 6);
    byte(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    byte(0xE0 | c >> 12);
    byte(0x80 | (c >> 6 & 0x3F));
    byte(0x80 | (c & 0x3F));
  } else {
    byte(0xF0 | c >> 18);
    byte(0x80 | (c >> 12 & 0x3F));
    byte(0x80 | (c >> 6 & 0x3F));
    byte(0x80 | (c & 0x3F));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto bytes = fuzz::as_text(data, size);
  bool decoded = false;
  fuzz::read([&] {
    std::string again;
    for (const char32_t c : core::decode_utf8(bytes)) {
      fuzz::require(c < 0xD800 || (c > 0xDFFF && c <= 0x10FFFF), "a code point");
      append(again, c);
    }
    decoded = true;
    fuzz::require(again == bytes, "encoded again it is the same");
  });
  fuzz::require(decoded == core::is_valid_utf8(bytes), "what is valid is decoded");
  if (!decoded) return 0;
  std::size_t letters = 0;
  for (const auto word : core::split_words(bytes)) {
    fuzz::require(!word.empty() && core::strip(word) == word, "words have no white space");
    letters += word.size();
  }
  fuzz::require(letters <= core::strip(bytes).size(), "words are in the text");
  fuzz::require(core::strip_end(bytes).size() >= core::strip(bytes).size(), "one end or both");
  return 0;
}
