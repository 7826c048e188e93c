// Bytes that should have been UTF-8.
#pragma once

#include <string>
#include <string_view>

namespace knnseq::core {

/// The bytes as valid UTF-8: U+FFFD stands for each byte that belongs to no well-formed character,
/// as in SentencePiece.
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace knnseq::core
