// Pieces that stand for a byte each: SentencePiece's byte fallback. Private to this module.
#pragma once

#include <optional>
#include <string_view>

namespace knnseq::text {

/// The byte that "<0x0A>" and its like stand for; nothing for other pieces.
std::optional<char> byte_of_piece(std::string_view piece);

}  // namespace knnseq::text
