// Which languages the 13a tokenisation suits.
#pragma once

#include <string_view>

namespace knnseq::metrics {

/// False for languages written without spaces between words, or for which sacrebleu has a tokeniser
/// of its own: Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese, Tibetan and relatives.
/// Takes ISO 639-1 and 639-3 codes, also with a script or region ("zh", "zh-CN", "zho_Hans");
/// an unknown or empty code suits.
bool suits_13a(std::string_view language);

/// Throws InputError, saying what to use instead, if 13a does not suit.
void require_13a(std::string_view language);

}  // namespace knnseq::metrics
