// Replacing inside strings.
#pragma once

#include <string>
#include <string_view>

namespace knnseq::text {

/// Replaces each occurrence of `from` (not empty), from left to right, by `to`.
inline void replace_all(std::string& text, std::string_view from, std::string_view to) {
  std::string result;
  std::size_t begin = 0;
  for (std::size_t at = 0; (at = text.find(from, begin)) != std::string::npos;) {
    result.append(text, begin, at - begin).append(to);
    begin = at + from.size();
  }
  if (begin > 0) text = result.append(text, begin);
}

}  // namespace knnseq::text
