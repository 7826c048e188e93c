// UTF-8: validation, code points, and which of them are white space.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knnseq::core {

constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// Well-formed UTF-8 (Unicode 15, table 3-7): no overlong forms, surrogates or values above
/// U+10FFFF. NUL is well-formed.
bool is_valid_utf8(std::string_view bytes);

/// Bytes of the well-formed character at the start of `bytes` (not empty); 0 if there is none.
std::size_t character_length(std::string_view bytes);

/// What this project takes as text: valid UTF-8 without NUL.
bool is_valid_text(std::string_view bytes);

/// Reads the code point at `position` of valid UTF-8 and moves `position` past it.
char32_t next_code_point(std::string_view text, std::size_t& position);

/// All code points. Throws InputError if the bytes are not valid UTF-8.
std::u32string decode_utf8(std::string_view bytes);

/// White space as Python's str.split(), str.strip() and \s see it: Unicode's White_Space and
/// U+001C–U+001F.
bool is_white_space(char32_t c);

/// Without white space at both ends, as Python's str.strip(); valid UTF-8.
std::string_view strip(std::string_view text);

/// Without white space at the end, as Python's str.rstrip(); valid UTF-8.
std::string_view strip_end(std::string_view text);

/// The pieces between runs of white space, none empty, as Python's str.split(); valid UTF-8.
std::vector<std::string_view> split_words(std::string_view text);

}  // namespace knnseq::core
