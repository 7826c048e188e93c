#include "text/sentence_pieces.hpp"

#include <fmt/format.h>
#include <sentencepiece_processor.h>

#include "core/error.hpp"
#include "core/input_file.hpp"

namespace knnseq::text {

namespace {

void check(const sentencepiece::util::Status& status, const char* call) {
  if (!status.ok()) {
    throw core::SystemError(fmt::format("SentencePiece: {}: {}", call, status.ToString()));
  }
}

}  // namespace

struct SentencePieces::Processor {
  sentencepiece::SentencePieceProcessor sp;
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
  check(processor_->sp.Decode(pieces, &text), "Decode");
  return text;
}

}  // namespace knnseq::text
