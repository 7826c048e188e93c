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

/// Rows of the shard out of keys whose first is row first_row; undefined for none.
at::Tensor pick(const at::Tensor& keys, std::int64_t first_row,
                std::span<const std::int64_t> rows) {
  if (rows.empty()) return {};
  at::Tensor picks = at::empty({std::ssize(rows)}, at::kLong);
  std::transform(rows.begin(), rows.end(), picks.data_ptr<std::int64_t>(),
                 [first_row](std::int64_t row) { return row - first_row; });
  return keys.index_select(0, picks.to(keys.device()));
}

}  // namespace

void ShardEncoder::open_shard(const store::CorpusShard& corpus) {
  corpus_ = &corpus;
  sample_rows_ = sample_.rows_of(corpus);
}

std::vector<store::DatasetSpec> ShardEncoder::layout() const {
  using store::DataType;
  const std::int64_t width = model_.info().width;
  const std::int64_t entries = corpus_->entries();
  const std::int64_t sentences = corpus_->sentences();
  const std::int64_t sampled = std::ssize(sample_rows_);
  std::vector<store::DatasetSpec> specs;
  if (options_.store == KeyStore::keys) {
    specs.push_back({"keys",
                     DataType::float16,
                     {entries, width},
                     {{"description", fmt::format("decoder vectors ({}), one a target token",
                                                  model::to_string(options_.key.kind))}}});
  }
  const std::vector<store::DatasetSpec> others = {
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
  specs.insert(specs.end(), others.begin(), others.end());
  if (options_.sentence_keys) {
    specs.push_back({"sentence_keys",
                     DataType::float16,
                     {sentences, model_.info().source_width},
                     {{"description", "mean of the encoder's output over the source"}}});
  }
  return specs;
}

void ShardEncoder::encode_unit(core::Range batches, store::ShardFile& file) const {
  write_unit(batches, options_.store == KeyStore::keys ? make_all(batches) : make_sample(batches),
             file);
}

ShardEncoder::Unit ShardEncoder::make_all(core::Range batches) const {
  const EncodedBatches encoded = encoder_.encode(*corpus_, batches);
  const auto rows = corpus_->entries_of(batches);
  return {encoded.keys, encoded.sentence_keys, pick(encoded.keys, rows.begin, sampled_of(rows))};
}

ShardEncoder::Unit ShardEncoder::make_sample(core::Range batches) const {
  std::vector<at::Tensor> picked;
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    const auto rows = corpus_->entries_of({batch, batch + 1});
    const auto sampled = sampled_of(rows);
    if (sampled.empty()) continue;
    const EncodedBatches encoded = encoder_.encode(*corpus_, {batch, batch + 1});
    picked.push_back(pick(encoded.keys, rows.begin, sampled));
  }
  return {{}, {}, picked.empty() ? at::Tensor() : at::cat(picked)};
}

void ShardEncoder::write_unit(core::Range batches, const Unit& unit, store::ShardFile& file) const {
  const auto sentences = corpus_->sentences_of(batches);
  const auto rows = corpus_->entries_of(batches);
  const auto write_keys = [&](const char* name, std::int64_t first_row, const at::Tensor& keys) {
    if (!keys.defined()) return;
    const at::Tensor held = keys.cpu();
    file.write(name, first_row, half_values(held));
  };
  write_keys("keys", rows.begin, unit.keys);
  file.write("values", rows.begin, part(corpus_->target_tokens, rows));
  write_keys("sentence_keys", sentences.begin, unit.sentence_keys);
  file.write("sentence_numbers", sentences.begin, part(corpus_->sentence_numbers, sentences));
  file.write("entry_starts", sentences.begin, part(corpus_->entry_starts, sentences));
  file.write("line_numbers", sentences.begin, part(corpus_->line_numbers, sentences));
  const bool last = sentences.end == corpus_->sentences();
  file.write("sentence_starts", sentences.begin,
             part(corpus_->sentence_starts, {sentences.begin, sentences.end + (last ? 1 : 0)}));

  const auto sampled = sampled_of(rows);
  if (sampled.empty()) return;
  const auto at_sample = sampled.data() - sample_rows_.data();
  write_keys("sample_keys", at_sample, unit.sample_keys);
  std::vector<std::int64_t> entries;
  for (const auto row : sampled) entries.push_back(corpus_->entry_number(row));
  file.write("sample_entries", at_sample, std::span<const std::int64_t>(entries));
}

std::span<const std::int64_t> ShardEncoder::sampled_of(core::Range rows) const {
  const auto first = std::lower_bound(sample_rows_.begin(), sample_rows_.end(), rows.begin);
  return {first, std::lower_bound(first, sample_rows_.end(), rows.end)};
}

}  // namespace knnseq::stages
