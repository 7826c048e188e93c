// The one wrapper of the SentencePiece library. Private to this module.
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
  /// Throws InputError naming the file where it is missing or no SentencePiece model.
  explicit SentencePieces(const std::filesystem::path& path);
  ~SentencePieces();
  SentencePieces(SentencePieces&&) noexcept;

  std::vector<std::string> list() const;  ///< all pieces, by id
  std::vector<std::string> encode(std::string_view text) const;
  std::string decode(const std::vector<std::string>& pieces) const;

 private:
  struct Processor;
  std::unique_ptr<Processor> processor_;
};

}  // namespace knnseq::text
