// The languages of many-to-many models, in the order of their ids. Private to this module.
#pragma once

#include <string_view>

namespace knnseq::text {

// Codes between spaces, as transformers lists them.

extern const std::string_view m2m100_languages;  ///< M2M-100: 100
extern const std::string_view wmt21_languages;   ///< the WMT21 models: 8
extern const std::string_view nllb_languages;    ///< NLLB-200: 202, codes of FLORES-200

}  // namespace knnseq::text
