#include "model/layers/packed_tokens.hpp"

#include <algorithm>
#include <numeric>

#include <ATen/ATen.h>

#include "model/layers/linear.hpp"

namespace knnseq::model {

namespace {

/// `prefix` and then each sentence, less its last `cut` tokens.
PackedTokens pack(Sentences sentences, std::span<const TokenId> prefix, std::size_t cut) {
  PackedTokens packed;
  for (const auto& sentence : sentences) {
    const auto length = prefix.size() + sentence.size() - cut;
    packed.starts.push_back(packed.rows() + static_cast<std::int64_t>(length));
  }
  packed.ids = at::zeros({rounded_rows(packed.rows())}, at::kLong);
  packed.positions = at::zeros({rounded_rows(packed.rows())}, at::kLong);
  auto* id = packed.ids.mutable_data_ptr<std::int64_t>();
  auto* position = packed.positions.mutable_data_ptr<std::int64_t>();
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    id = std::ranges::copy(prefix, id).out;
    id = std::copy(sentences[i].begin(), sentences[i].end() - static_cast<std::ptrdiff_t>(cut), id);
    const std::int64_t length = packed.starts[i + 1] - packed.starts[i];
    std::iota(position, position + length, std::int64_t{0});
    position += length;
  }
  return packed;
}

}  // namespace

PackedTokens pack_sentences(Sentences sentences) { return pack(sentences, {}, 0); }

PackedTokens pack_shifted(Sentences sentences, std::span<const TokenId> prefix) {
  return pack(sentences, prefix, 1);
}

std::vector<std::size_t> cut_runs(Sentences sources, Sentences targets, std::int64_t max_rows) {
  std::vector<std::size_t> ends;
  std::int64_t source_rows = 0;
  std::int64_t target_rows = 0;
  for (std::size_t i = 0; i < sources.size(); ++i) {
    source_rows += static_cast<std::int64_t>(sources[i].size());
    if (!targets.empty()) target_rows += static_cast<std::int64_t>(targets[i].size());
    const bool first = i == (ends.empty() ? 0 : ends.back());
    if (!first && std::max(source_rows, target_rows) > max_rows) {
      ends.push_back(i);
      source_rows = static_cast<std::int64_t>(sources[i].size());
      target_rows = targets.empty() ? 0 : static_cast<std::int64_t>(targets[i].size());
    }
  }
  if (!sources.empty()) ends.push_back(sources.size());
  return ends;
}

}  // namespace knnseq::model
