#include "stages/encode/shard_encoder.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

namespace knnseq::stages {

namespace {

template <class T>
std::span<const T> part(const std::vector<T>& values, core::Range range) {
  return std::span<const T>(values).subspan(static_cast<std::size_t>(range.begin),
                                            static_cast<std::size_t>(range.size()));
}

std::span<const std::uint16_t> half_values(const at::Tensor& half) {
  return {reinterpret_cast<const std::uint16_t*>(half.const_data_ptr<at::Half>()),
          static_cast<std::size_t>(half.numel())};
}

/// Rows of the shard that belong to the sample, ascending.
std::vector<std::int64_t> sample_rows(const store::CorpusShard& shard, const SampleRule& rule) {
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < shard.entry_starts.size(); ++i) {
    for (auto row = shard.sentence_starts[i]; row < shard.sentence_starts[i + 1]; ++row) {
      if (rule.contains(shard.entry_starts[i] + row - shard.sentence_starts[i])) {
        rows.push_back(row);
      }
    }
  }
  return rows;
}

}  // namespace

void ShardEncoder::open_shard(const store::CorpusShard& corpus) {
  corpus_ = &corpus;
  sample_rows_ = sample_rows(corpus, sample_);
}

std::vector<store::DatasetSpec> ShardEncoder::layout() const {
  using store::DataType;
  const std::int64_t width = model_.info().width;
  const std::int64_t entries = corpus_->entries();
  const std::int64_t sentences = corpus_->sentences();
  const std::int64_t sampled = std::ssize(sample_rows_);
  std::vector<store::DatasetSpec> specs = {
      {"keys",
       DataType::float16,
       {entries, width},
       {{"description", fmt::format("decoder vectors ({}), one a target token",
                                    model::to_string(options_.key.kind))}}},
      {"values", DataType::uint32, {entries}, {{"description", "target token ids"}}},
      {"sentence_numbers",
       DataType::int64,
       {sentences},
       {{"description", "sentence numbers over the corpus after filtering"}}},
      {"sentence_starts",
       DataType::int64,
       {sentences + 1},
       {{"description", "rows of this shard at which sentences start, and the number of rows"}}},
      {"entry_starts",
       DataType::int64,
       {sentences},
       {{"description", "global entry number of each sentence's first entry"}}},
      {"line_numbers",
       DataType::int64,
       {sentences},
       {{"description", "line of the input, from 0 over all files"}}},
      {"sample_keys",
       DataType::float16,
       {sampled, width},
       {{"description", "the keys of this shard that belong to the training sample"}},
       /*aside=*/true},
      {"sample_entries",
       DataType::int64,
       {sampled},
       {{"description", "global entry numbers of sample_keys"}},
       /*aside=*/true}};
  if (options_.sentence_keys) {
    specs.push_back({"sentence_keys",
                     DataType::float16,
                     {sentences, model_.info().source_width},
                     {{"description", "mean of the encoder's output over the source"}}});
  }
  return specs;
}

void ShardEncoder::encode_unit(core::Range batches, store::ShardFile& file) const {
  const auto sentences = corpus_->sentences_of(batches);
  const auto rows = corpus_->entries_of(batches);
  const EncodedBatches unit = encoder_.encode(*corpus_, batches);
  file.write("keys", rows.begin, half_values(unit.keys));
  file.write("values", rows.begin, part(corpus_->target_tokens, rows));
  if (options_.sentence_keys) {
    file.write("sentence_keys", sentences.begin, half_values(unit.sentence_keys));
  }
  file.write("sentence_numbers", sentences.begin, part(corpus_->sentence_numbers, sentences));
  file.write("entry_starts", sentences.begin, part(corpus_->entry_starts, sentences));
  file.write("line_numbers", sentences.begin, part(corpus_->line_numbers, sentences));
  const bool last = sentences.end == corpus_->sentences();
  file.write("sentence_starts", sentences.begin,
             part(corpus_->sentence_starts, {sentences.begin, sentences.end + (last ? 1 : 0)}));

  const auto first = std::lower_bound(sample_rows_.begin(), sample_rows_.end(), rows.begin);
  const auto end = std::lower_bound(first, sample_rows_.end(), rows.end);
  if (first == end) return;
  std::vector<std::int64_t> entries;
  at::Tensor picks = at::empty({end - first}, at::kLong);
  for (auto row = first; row != end; ++row) {
    picks.data_ptr<std::int64_t>()[row - first] = *row - rows.begin;
    const auto sentence = static_cast<std::size_t>(corpus_->sentence_of(*row));
    entries.push_back(corpus_->entry_starts[sentence] + *row - corpus_->sentence_starts[sentence]);
  }
  const auto at_sample = first - sample_rows_.begin();
  file.write("sample_keys", at_sample, half_values(unit.keys.index_select(0, picks)));
  file.write("sample_entries", at_sample, std::span<const std::int64_t>(entries));
}

}  // namespace knnseq::stages
