#include "text/pieces/sentence_pieces.hpp"

#include <charconv>
#include <optional>

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "core/error.hpp"
#include "core/input_file.hpp"
#include "core/utf8_repair.hpp"

namespace knnseq::text {

namespace {

void check(const sentencepiece::util::Status& status, const char* call) {
  if (!status.ok()) {
    throw core::SystemError(fmt::format("SentencePiece: {}: {}", call, status.ToString()));
  }
}

/// The byte that "<0x0A>" and its like stand for (SentencePiece's byte fallback); nothing for other
/// pieces.
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

}  // namespace

struct SentencePieces::Processor {
  sentencepiece::SentencePieceProcessor sp;

  /// The byte that a piece stands for, if any.
  std::optional<char> byte_of(const std::string& piece) const {
    const auto byte = byte_of_piece(piece);
    if (!byte) return {};
    const int id = sp.PieceToId(piece);
    return sp.IsByte(id) || sp.IsUnknown(id) ? byte : std::nullopt;
  }
};

SentencePieces::SentencePieces(const std::filesystem::path& path)
    : processor_(std::make_unique<Processor>()) {
  const std::string model = core::read_model_file(path);
  const auto status = processor_->sp.LoadFromSerializedProto(model);
  if (!status.ok()) {
    throw core::InputError(path,
                           fmt::format("is not a SentencePiece model ({})", status.ToString()));
  }
}

SentencePieces::~SentencePieces() = default;
SentencePieces::SentencePieces(SentencePieces&&) noexcept = default;

std::vector<std::string> SentencePieces::list() const {
  std::vector<std::string> pieces;
  pieces.reserve(processor_->sp.GetPieceSize());
  for (int id = 0; id < processor_->sp.GetPieceSize(); ++id) {
    pieces.push_back(processor_->sp.IdToPiece(id));
  }
  return pieces;
}

std::vector<std::string> SentencePieces::encode(std::string_view text) const {
  std::vector<std::string> pieces;
  check(processor_->sp.Encode(text, &pieces), "Encode");
  return pieces;
}

std::string SentencePieces::decode(const std::vector<std::string>& pieces) const {
  std::string text;
  check(processor_->sp.Decode(spell_bytes(pieces), &text), "Decode");
  return text;
}

std::vector<std::string> SentencePieces::spell_bytes(const std::vector<std::string>& pieces) const {
  std::vector<std::string> spelled;
  std::string bytes;
  const auto end_run = [&] {
    if (!bytes.empty()) spelled.push_back(core::replace_invalid_utf8(bytes));
    bytes.clear();
  };
  for (const std::string& piece : pieces) {
    if (const auto byte = processor_->byte_of(piece)) {
      bytes += *byte;
    } else {
      end_run();
      spelled.push_back(piece);
    }
  }
  end_run();
  return spelled;
}

}  // namespace knnseq::text
