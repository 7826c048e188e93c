// The tokenisation under BLEU: mteval-v13a as sacrebleu has it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace knnseq::metrics {

/// Tokens of one line exactly as sacrebleu 2.6's "13a" gives them (trailing white space removed
/// first, as its BLEU does). Throws InputError if the line is not valid UTF-8.
std::vector<std::string> tokenize_13a(std::string_view line);

/// Words of valid UTF-8 by the rules that "13a" shares with "zh" (sacrebleu's TokenizerRegexp).
std::vector<std::string> split_by_13a_rules(std::string_view text);

}  // namespace knnseq::metrics
