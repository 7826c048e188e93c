#include "text/output_line.hpp"

#include <algorithm>
#include <array>

#include "core/utf8.hpp"
#include "core/utf8_repair.hpp"

namespace knnseq::text {

namespace {

bool ends_a_line(char32_t c) {
  constexpr std::array<char32_t, 11> ends{U'\0', U'\n', U'\v', U'\f',  U'\r', 0x1C,
                                          0x1D,  0x1E,  0x85,  0x2028, 0x2029};
  return std::ranges::find(ends, c) != ends.end();
}

}  // namespace

std::string output_line(std::string_view text) {
  std::string valid;
  if (!core::is_valid_utf8(text)) text = valid = core::replace_invalid_utf8(text);
  std::string line;
  line.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t here = i;
    if (ends_a_line(core::next_code_point(text, i))) {
      line += ' ';
    } else {
      line.append(text, here, i - here);
    }
  }
  return line;
}

}  // namespace knnseq::text
