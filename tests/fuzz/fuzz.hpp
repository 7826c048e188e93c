// What the fuzzers share.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "core/error.hpp"

namespace knnseq::fuzz {

inline std::string_view as_text(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// The parts of an input between its NUL bytes; one at least.
inline std::vector<std::string_view> parts(std::string_view input) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; begin <= input.size();) {
    const std::size_t end = std::min(input.find('\0', begin), input.size());
    found.push_back(input.substr(begin, end - begin));
    begin = end + 1;
  }
  return found;
}

/// Ends the process, which the fuzzer reports as a finding.
inline void require(bool condition, const char* message) {
  if (condition) return;
  std::fprintf(stderr, "does not hold: %s\n", message);
  std::abort();
}

/// Runs a reader that may refuse its input, in the way the program reports to its user.
template <class Reader>
void read(Reader reader) {
  try {
    reader();
  } catch (const core::InputError&) {
  }
}

}  // namespace knnseq::fuzz
