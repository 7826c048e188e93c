// A batch of sentences laid out one after another, without padding between them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/base/translation_model.hpp"

namespace knnseq::model {

struct PackedTokens {
  at::Tensor ids;                       ///< [rows rounded up] int64; further rows hold token 0
  at::Tensor positions;                 ///< [rows rounded up] int64: place within the sentence
  std::vector<std::int64_t> starts{0};  ///< of sentence i; one more than sentences

  std::int64_t rows() const { return starts.back(); }
  std::size_t sentences() const { return starts.size() - 1; }
};

/// Sentences as they are (the encoder's input).
PackedTokens pack_sentences(Sentences sentences);

/// The decoder's input: `prefix`, then the sentence without its last token.
PackedTokens pack_shifted(Sentences sentences, std::span<const TokenId> prefix);

/// Cuts sentences, in their order, into runs of at most `max_rows` tokens a side (or one sentence):
/// ends of the runs. `targets` may be empty: sources decide alone.
std::vector<std::size_t> cut_runs(Sentences sources, Sentences targets, std::int64_t max_rows);

}  // namespace knnseq::model
