// A whole text file as lines.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace knnseq::text {

/// All lines of a text file (plain or gzip), without line ends. Throws InputError where the file is
/// missing, or naming the line that is not valid text.
std::vector<std::string> read_lines(const std::filesystem::path& file);

}  // namespace knnseq::text
