// Rules of tokenisers that are regular expressions of two characters. Private to this module.
#pragma once

#include <string>

namespace knnseq::metrics {

/// If two neighbours satisfy `matches`, appends the result of `replace` and goes on after both, as
/// a regular expression of two characters does. Char: bytes or code points.
template <class Char, class Matches, class Replace>
std::basic_string<Char> substitute_pairs(const std::basic_string<Char>& line, Matches matches,
                                         Replace replace) {
  std::basic_string<Char> result;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (i + 1 < line.size() && matches(line[i], line[i + 1])) {
      replace(result, line[i], line[i + 1]);
      ++i;
    } else {
      result.push_back(line[i]);
    }
  }
  return result;
}

}  // namespace knnseq::metrics
