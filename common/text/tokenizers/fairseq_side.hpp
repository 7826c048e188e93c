// One language side of a fairseq tokeniser. Private to this module.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "text/pieces/bpe.hpp"
#include "text/pieces/fairseq_dictionary.hpp"
#include "text/pieces/sentence_pieces.hpp"

namespace knnseq::text {

/// A dictionary, and what cuts text into its symbols: nothing but white space, BPE codes, or a
/// SentencePiece model.
class FairseqSide {
 public:
  using Segmenter = std::variant<std::monostate, Bpe, SentencePieces>;

  FairseqSide(FairseqDictionary dictionary, Segmenter segmenter);

  std::vector<core::TokenId> encode(std::string_view text) const;
  std::string decode(std::span<const core::TokenId> tokens) const;
  std::int64_t vocab_size() const { return dictionary_.size(); }

 private:
  FairseqDictionary dictionary_;
  Segmenter segmenter_;
};

}  // namespace knnseq::text
