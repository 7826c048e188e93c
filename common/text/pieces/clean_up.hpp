// Spaces before punctuation. Private to this module.
#pragma once

#include <array>
#include <string>
#include <utility>

#include "text/pieces/replace_all.hpp"

namespace knnseq::text {

/// transformers' clean_up_tokenization, in its order.
inline void clean_up(std::string& text) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 10> rules{{
      {" .", "."},
      {" ?", "?"},
      {" !", "!"},
      {" ,", ","},
      {" ' ", "'"},
      {" n't", "n't"},
      {" 'm", "'m"},
      {" 's", "'s"},
      {" 've", "'ve"},
      {" 're", "'re"},
  }};
  for (const auto& [from, to] : rules) replace_all(text, from, to);
}

}  // namespace knnseq::text
