#include "text/files/text_facts.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/random.hpp"
#include "core/utf8.hpp"
#include "text/files/line_files.hpp"
#include "text/files/line_reader.hpp"
#include "text/files/text_file.hpp"

namespace knnseq::text {

namespace {

/// Longer lines are no sentences; there may be very long ones.
constexpr std::size_t longest_sampled = std::size_t{1} << 14;

bool is_beyond_ascii(char c) { return static_cast<unsigned char>(c) >= 0x80; }
/// C1 controls in Latin-1; quotation marks, dashes and the euro in Windows-1252.
bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x80 && byte < 0xA0;
}

}  // namespace

bool TextFacts::is_otherwise_encoded() const {
  return invalid > beyond_ascii && invalid * 100 >= lines;
}

std::string TextFacts::likely_encoding() const {
  if (has_nul) return "";
  return has_control ? "WINDOWS-1252" : "LATIN1";
}

TextFacts read_text_facts(const std::filesystem::path& file, std::size_t sample) {
  LineReader reader(open_text(file), LineFiles::longest_line);
  TextFacts facts;
  core::Random random(1);
  std::uint64_t valid = 0;
  while (auto line = reader.next()) {
    ++facts.lines;
    facts.bytes += std::ssize(*line);
    if (!core::is_valid_text(*line)) {
      if (facts.invalid++ == 0) facts.first_invalid = facts.lines;
      facts.has_nul = facts.has_nul || line->find('\0') != line->npos;
      facts.has_control = facts.has_control || std::ranges::any_of(*line, is_control);
      continue;
    }
    if (std::ranges::any_of(*line, is_beyond_ascii)) ++facts.beyond_ascii;
    if (line->size() > longest_sampled) continue;
    // Reservoir sampling: each line so far is kept with the same probability.
    const std::uint64_t place = random.below(++valid);
    if (facts.sample.size() < sample) {
      facts.sample.emplace_back(*line);
    } else if (place < sample) {
      facts.sample[place] = *line;
    }
  }
  return facts;
}

std::string describe_encoding(const std::filesystem::path& file, const TextFacts& facts) {
  const auto encoding = facts.likely_encoding();
  const std::string what =
      encoding.empty()
          ? "it holds NUL bytes"
          : fmt::format("it seems to be {0}: convert it with iconv -f {0} -t UTF-8", encoding);
  return fmt::format("{}:{}: the text is not UTF-8, as {} of its {} lines show; {}", file.string(),
                     facts.first_invalid, facts.invalid, facts.lines, what);
}

}  // namespace knnseq::text
