#include "stages/decode/output_report.hpp"

#include <fmt/format.h>

#include "obs/progress_meter.hpp"

namespace knnseq::stages {

void OutputReport::count_length(const search::BeamOptions& options, std::int64_t source_tokens,
                                std::int64_t positions, std::int64_t tokens) {
  if (tokens <= options.greatest_length(source_tokens, positions)) return;
  ++cut;
  if (options.bound_by_positions(source_tokens, positions)) ++cut_by_positions;
}

std::vector<std::string> OutputReport::warnings(const search::BeamOptions& options,
                                                std::int64_t positions) const {
  std::vector<std::string> lines;
  const auto share = [&](std::int64_t count) {
    return fmt::format("{} of {} translations ({:.1f} %)", obs::with_commas(count),
                       obs::with_commas(translations),
                       100.0 * static_cast<double>(count) / static_cast<double>(translations));
  };
  if (cut > 0) {
    std::string text = share(cut) + " were cut: they came to their greatest length";
    if (cut > cut_by_positions) {
      const auto key = options.max_length_a > 0
                           ? fmt::format("beam_search.max_length_a ({:g}) or max_length_b ({})",
                                         options.max_length_a, options.max_length_b)
                           : fmt::format("beam_search.max_length_b ({})", options.max_length_b);
      text += "; raise " + key;
    }
    if (cut_by_positions > 0) {
      text += fmt::format(
          "; {} at the model's {} positions, which no setting raises: split such "
          "sentences",
          obs::with_commas(cut_by_positions), positions);
    }
    lines.push_back(text);
  }
  if (mended > 0) {
    lines.push_back(share(mended) +
                    " were no single line of text: in hyp.txt and nbest.jsonl spaces stand for "
                    "line breaks and NULs, U+FFFD for bytes that are not UTF-8");
  }
  return lines;
}

}  // namespace knnseq::stages
