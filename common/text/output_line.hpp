// The form in which a model's output is written to files.
#pragma once

#include <string>
#include <string_view>

namespace knnseq::text {

/// The text as one line of valid UTF-8. A model's output is untrusted: SentencePiece's byte pieces
/// spell any bytes, vocabularies hold any characters. A space stands for each NUL and for each
/// character at which some program ends a line, which are those of Python's str.splitlines: \n, \v,
/// \f, \r, U+001C–U+001E, U+0085, U+2028, U+2029. U+FFFD stands for each byte that belongs to no
/// character. Everything else is kept, so that most text comes back as it is.
std::string output_line(std::string_view text);

}  // namespace knnseq::text
