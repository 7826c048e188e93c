// What a text is, found out by reading it once: lines, bytes, whether it is UTF-8.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace knnseq::text {

struct TextFacts {
  std::int64_t lines = 0;
  std::int64_t bytes = 0;           ///< of all lines, without line ends
  std::int64_t invalid = 0;         ///< lines that are not UTF-8, or hold NUL
  std::int64_t first_invalid = 0;   ///< the first of these, from 1; 0: none
  bool has_nul = false;             ///< one of these holds NUL
  bool has_control = false;         ///< one of these holds bytes that Latin-1 has no letters for
  std::int64_t beyond_ascii = 0;    ///< valid lines that hold more than ASCII
  std::vector<std::string> sample;  ///< valid lines of at most 16 KiB, drawn uniformly

  /// Whether the text is in another encoding: at least one line in a hundred is not UTF-8, and
  /// these are more than those that are and could not be anything else.
  bool is_otherwise_encoded() const;
  /// Which encoding that seems to be, as iconv names it: "LATIN1" or "WINDOWS-1252"; empty with
  /// NUL bytes, which are no text.
  std::string likely_encoding() const;
};

/// Reads a text, plain or compressed, once; `sample`: so many lines are kept. Throws as
/// open_text().
TextFacts read_text_facts(const std::filesystem::path& file, std::size_t sample);

/// "corpus.de:3: the text is not UTF-8 …": for is_otherwise_encoded().
std::string describe_encoding(const std::filesystem::path& file, const TextFacts& facts);

}  // namespace knnseq::text
