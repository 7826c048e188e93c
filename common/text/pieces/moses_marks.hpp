// What the Moses tokeniser leaves in text that has not been detokenised.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// Lines with marks of the Moses tokeniser.
struct MosesMarks {
  struct Example {
    std::int64_t line;      ///< from 1
    std::string_view mark;  ///< the first one in that line
    bool operator==(const Example&) const = default;
  };
  std::int64_t lines = 0;         ///< how many have any
  std::vector<Example> examples;  ///< of the first such lines
};

/// Looks for "@-@" as a word and for the characters that Moses' tokenizer.perl escapes (&amp;
/// &#124; &lt; &gt; &apos; &quot; &#91; &#93;). Text without them may still be tokenised, and text
/// about HTML may rightly contain them: reason for a warning, not for an error.
MosesMarks find_moses_marks(std::span<const std::string> lines, std::size_t max_examples = 3);

}  // namespace knnseq::text
