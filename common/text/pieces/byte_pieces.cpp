#include "text/pieces/byte_pieces.hpp"

#include <charconv>

namespace knnseq::text {

std::optional<char> byte_of_piece(std::string_view piece) {
  constexpr std::string_view form = "<0x__>";
  if (piece.size() != form.size() || !piece.starts_with("<0x") || piece.back() != '>') return {};
  const std::string_view digits = piece.substr(3, 2);
  // SentencePiece writes capitals; "<0x0a>" is a piece like any other.
  if (digits.find_first_not_of("0123456789ABCDEF") != std::string_view::npos) return {};
  unsigned char byte = 0;
  std::from_chars(digits.data(), digits.data() + digits.size(), byte, 16);
  return static_cast<char>(byte);
}

}  // namespace knnseq::text
