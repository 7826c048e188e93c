// The lines that sacrebleu scored for us (tests/support/make_metrics_reference.py).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/files.hpp"

inline std::filesystem::path metrics_data(const std::string& name) {
  return std::filesystem::path(KNNSEQ_SOURCE_DIR) / "tests/data/metrics" / name;
}

/// Lines that "\n" alone ends.
inline std::vector<std::string> metrics_lines(const std::string& name) {
  const std::string content = knnseq::core::read_file(metrics_data(name));
  std::vector<std::string> lines;
  for (std::size_t begin = 0; begin < content.size();) {
    const std::size_t end = content.find('\n', begin);
    lines.push_back(content.substr(begin, end - begin));
    begin = end + 1;
  }
  return lines;
}
