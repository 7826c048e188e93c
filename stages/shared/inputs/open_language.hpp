// Sources that do not say into which language they are to be translated.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// A warning for the user if the model knows several target languages, the config names none,
/// and `without` of `sources` sentences begin with no language token; empty otherwise.
std::string describe_open_language(const text::Tokenizer& tokenizer, std::int64_t without,
                                   std::int64_t sources);

}  // namespace knnseq::stages
