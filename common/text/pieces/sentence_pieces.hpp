// The one wrapper of the SentencePiece library.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace knnseq::text {

/// A SentencePiece model (Kudo and Richardson, EMNLP 2018), used without sampling.
class SentencePieces {
 public:
  /// Throws InputError naming the file if it is missing or no SentencePiece model.
  explicit SentencePieces(const std::filesystem::path& path);
  ~SentencePieces();
  SentencePieces(SentencePieces&&) noexcept;

  std::vector<std::string> list() const;  ///< all pieces, by id
  std::vector<std::string> encode(std::string_view text) const;
  /// Byte pieces are spelled, whether the model has them or not.
  std::string decode(const std::vector<std::string>& pieces) const;

  /// Puts what they spell in place of each run of byte pieces ("<0xE2>"): those of the model's byte
  /// fallback, and those that only a dictionary beside the model has. A byte that belongs to no
  /// character becomes U+FFFD. An ordinary piece that looks like one is left as it is.
  std::vector<std::string> spell_bytes(const std::vector<std::string>& pieces) const;

 private:
  struct Processor;
  std::unique_ptr<Processor> processor_;
};

}  // namespace knnseq::text
