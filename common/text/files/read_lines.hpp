// A whole text file as lines.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace knnseq::text {

/// What read_lines takes. A few kilobytes of compressed text can stand for all of a machine's
/// memory.
struct TextLimits {
  std::size_t line_bytes = std::size_t{1} << 20;
  std::size_t bytes = std::size_t{1} << 30;  ///< of all lines
  std::size_t lines = 10'000'000;
};

/// For what knnseq itself has written.
inline constexpr TextLimits no_limits{std::size_t{1} << 48, std::size_t{1} << 48,
                                      std::size_t{1} << 48};

/// All lines of a text file, plain or compressed (open_text), without line ends. Throws InputError
/// if the file is missing or not text, naming the line that is not valid text or too long, or
/// if there is more than the limits say.
std::vector<std::string> read_lines(const std::filesystem::path& file,
                                    const TextLimits& limits = {});

/// Writes the first lines of a text that may be several files, at most `most`, to one plain file.
/// Throws as read_lines() and core::SystemError.
void copy_first_lines(const std::vector<std::filesystem::path>& files, std::int64_t most,
                      const std::filesystem::path& to);

}  // namespace knnseq::text
