#include "model/base/padded_tokens.hpp"

#include <algorithm>

#include <ATen/ATen.h>

namespace knnseq::model {

namespace {

/// `prefix` and then each sentence, less its last `cut` tokens.
PaddedTokens pad_all(Sentences sentences, std::span<const TokenId> prefix, std::size_t cut,
                     TokenId pad) {
  std::vector<std::int64_t> lengths;
  for (const auto& sentence : sentences) {
    lengths.push_back(static_cast<std::int64_t>(prefix.size() + sentence.size() - cut));
  }
  const std::int64_t longest = lengths.empty() ? 0 : std::ranges::max(lengths);
  PaddedTokens made{at::full({std::ssize(lengths), longest}, pad, at::kLong),
                    at::tensor(lengths, at::kLong)};
  auto* row = made.ids.mutable_data_ptr<std::int64_t>();
  for (const auto& sentence : sentences) {
    auto* id = std::ranges::copy(prefix, row).out;
    std::copy(sentence.begin(), sentence.end() - static_cast<std::ptrdiff_t>(cut), id);
    row += longest;
  }
  return made;
}

/// Which places [B, longest] hold tokens of the sentences.
at::Tensor inside(const at::Tensor& lengths, std::int64_t longest, std::int64_t skipped) {
  const at::Tensor places = at::arange(longest, at::kLong).unsqueeze(0);
  return (places < lengths.unsqueeze(1)).logical_and_(places >= skipped);
}

}  // namespace

PaddedTokens pad_sentences(Sentences sentences, TokenId pad) {
  return pad_all(sentences, {}, 0, pad);
}

PaddedTokens pad_shifted(Sentences sentences, std::span<const TokenId> prefix, TokenId pad) {
  return pad_all(sentences, prefix, 1, pad);
}

at::Tensor unpad(const at::Tensor& vectors, const at::Tensor& lengths, std::int64_t skipped) {
  const at::Tensor rows = inside(lengths, vectors.size(1), skipped).flatten().nonzero().squeeze(1);
  return vectors.flatten(0, 1).index_select(0, rows);
}

at::Tensor pad_rows(const at::Tensor& packed, const at::Tensor& lengths) {
  const std::int64_t longest = lengths.numel() == 0 ? 0 : lengths.max().item<std::int64_t>();
  at::Tensor padded = at::zeros({lengths.numel(), longest, packed.size(1)}, packed.options());
  const at::Tensor rows = inside(lengths, longest, 0).flatten().nonzero().squeeze(1);
  padded.view({-1, packed.size(1)}).index_copy_(0, rows, packed);
  return padded;
}

std::vector<std::size_t> cut_padded_runs(Sentences sources, Sentences targets, std::int64_t most) {
  std::vector<std::size_t> ends;
  std::size_t begin = 0;
  std::size_t longest = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    const std::size_t own = std::max(sources[i].size(), targets.empty() ? 0 : targets[i].size());
    longest = std::max(longest, own);
    if (i > begin && static_cast<std::int64_t>(longest * (i + 1 - begin)) > most) {
      ends.push_back(i);
      begin = i;
      longest = own;
    }
  }
  if (!sources.empty()) ends.push_back(sources.size());
  return ends;
}

}  // namespace knnseq::model
