// What the files of a translated test set do not show by themselves.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "search/beam_options.hpp"

namespace knnseq::stages {

/// Counts of one test set, from all of its translations, whichever run and rank made them.
struct OutputReport {
  std::int64_t translations = 0;  ///< sentences that have one
  /// Sentences whose best translation was ended at its greatest length.
  std::int64_t cut = 0;
  std::int64_t cut_by_positions = 0;  ///< those of them that the model has no more positions for
  /// Sentences with a translation that was not a line of valid text (see text::output_line).
  std::int64_t mended = 0;

  /// Counts a sentence's best translation, of this many tokens, EOS included.
  void count_length(const search::BeamOptions& options, std::int64_t source_tokens,
                    std::int64_t positions, std::int64_t tokens);

  /// One line for each thing that a user should know.
  std::vector<std::string> warnings(const search::BeamOptions& options,
                                    std::int64_t positions) const;
};

}  // namespace knnseq::stages
