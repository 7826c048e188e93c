// A batch of sentences as a matrix, shorter ones filled up with the pad token.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "model/base/translation_model.hpp"

namespace knnseq::model {

struct PaddedTokens {
  at::Tensor ids;      ///< [B, longest] int64
  at::Tensor lengths;  ///< [B] int64
};

/// Sentences as they are (the encoder's input).
PaddedTokens pad_sentences(Sentences sentences, TokenId pad);

/// The decoder's input: `prefix`, then the sentence without its last token.
PaddedTokens pad_shifted(Sentences sentences, std::span<const TokenId> prefix, TokenId pad);

/// Sentences' rows of `vectors` [B, longest, …] without padding and without the first `skipped` of
/// each: [Σ (lengths − skipped), …].
at::Tensor unpad(const at::Tensor& vectors, const at::Tensor& lengths, std::int64_t skipped = 0);

/// The inverse: packed rows [Σ lengths, d] as [B, longest, d], zeros if there is padding.
at::Tensor pad_rows(const at::Tensor& packed, const at::Tensor& lengths);

/// Cuts sentences, in their order, into runs of at most `most` positions a side, padding counted,
/// or of one sentence: ends of the runs. `targets` may be empty: sources decide alone.
std::vector<std::size_t> cut_padded_runs(Sentences sources, Sentences targets, std::int64_t most);

}  // namespace knnseq::model
