#include "model/packed_tokens.hpp"

#include <algorithm>
#include <optional>

#include <ATen/ATen.h>

#include "model/linear.hpp"

namespace knnseq::model {

namespace {

PackedTokens pack(Sentences sentences, std::optional<TokenId> start) {
  PackedTokens packed;
  for (const auto& sentence : sentences) {
    packed.starts.push_back(packed.rows() + static_cast<std::int64_t>(sentence.size()));
  }
  packed.ids = at::zeros({rounded_rows(packed.rows())}, at::kLong);
  packed.positions = at::zeros({rounded_rows(packed.rows())}, at::kLong);
  auto* id = packed.ids.mutable_data_ptr<std::int64_t>();
  auto* position = packed.positions.mutable_data_ptr<std::int64_t>();
  for (const auto& sentence : sentences) {
    const std::size_t shift = start.has_value() ? 1 : 0;
    for (std::size_t i = 0; i < sentence.size(); ++i) {
      *id++ = i < shift ? *start : sentence[i - shift];
      *position++ = static_cast<std::int64_t>(i);
    }
  }
  return packed;
}

}  // namespace

PackedTokens pack_sentences(Sentences sentences) { return pack(sentences, std::nullopt); }

PackedTokens pack_shifted(Sentences sentences, TokenId start) { return pack(sentences, start); }

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
