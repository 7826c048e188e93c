#include "stages/encode/shard_encoder.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "gpu/integer_upload.hpp"
#include "stages/shared/shards/batch_clock.hpp"
#include "stages/shared/shards/compute_thread.hpp"

namespace knnseq::stages {

namespace {

template <class T>
std::span<const T> part(const std::vector<T>& values, core::Range range) {
  return std::span<const T>(values).subspan(range.begin, range.size());
}

/// Rows of the shard out of keys whose first is row first_row.
at::Tensor pick(const at::Tensor& keys, std::int64_t first_row,
                std::span<const std::int64_t> rows) {
  std::vector<std::int64_t> picks;
  for (const auto row : rows) picks.push_back(row - first_row);
  gpu::IntegerUpload upload;
  const auto list = upload.add(picks);
  return keys.index_select(0, upload.send(keys.device())[list]);
}

}  // namespace

void ShardEncoder::open_shard(const store::CorpusShard& corpus) {
  encoder_.require_corpus(corpus);
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
                                                  core::name_of(options_.key.kind))}}});
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
  if (options_.log_probs) specs.push_back(log_probs_dataset(entries));
  return specs;
}

ShardEncoder::Unit ShardEncoder::empty_unit(core::Range batches) const {
  const auto rows = corpus_->entries_of(batches);
  const auto& info = model_.info();
  Unit unit;
  unit.batches = batches;
  unit.finite = copies_.buffer({rows.size()}, at::kBool).fill_(true);
  const auto sampled = std::ssize(sampled_of(rows));
  if (sampled > 0) unit.sample_keys = copies_.buffer({sampled, info.width}, at::kHalf);
  if (options_.store == KeyStore::keys) {
    unit.keys = copies_.buffer({rows.size(), info.width}, at::kHalf);
  }
  if (options_.sentence_keys) {
    unit.sentence_keys =
        copies_.buffer({corpus_->sentences_of(batches).size(), info.source_width}, at::kHalf);
  }
  if (options_.log_probs) unit.log_probs = copies_.buffer({rows.size()}, at::kHalf);
  return unit;
}

void ShardEncoder::encode_batch(std::int64_t batch, Unit& unit) {
  const auto unit_rows = corpus_->entries_of(unit.batches);
  const auto rows = corpus_->entries_of({batch, batch + 1});
  const auto sampled = sampled_of(rows);
  if (options_.store == KeyStore::none && sampled.empty()) return;
  const EncodedBatches encoded = encoder_.encode_batch(*corpus_, batch);
  const auto sentences = corpus_->sentences_of({batch, batch + 1});
  const auto copy = [&](const at::Tensor& to, std::int64_t first_row, const at::Tensor& from) {
    copies_.copy(to.narrow(0, first_row, from.size(0)), from);
  };
  const auto row = rows.begin - unit_rows.begin;
  copy(unit.finite, row, at::isfinite(encoded.keys).all(1));
  if (unit.keys.defined()) copy(unit.keys, row, encoded.keys);
  if (unit.log_probs.defined()) copy(unit.log_probs, row, encoded.log_probs);
  if (unit.sentence_keys.defined()) {
    const auto first = corpus_->sentences_of(unit.batches).begin;
    copy(unit.sentence_keys, sentences.begin - first, encoded.sentence_keys);
  }
  if (!sampled.empty()) {
    copy(unit.sample_keys, sampled.data() - sampled_of(unit_rows).data(),
         pick(encoded.keys, rows.begin, sampled));
  }
  count_padding(sentences, unit);
}

void ShardEncoder::count_padding(core::Range sentences, Unit& unit) const {
  std::int64_t longest_source = 0;
  std::int64_t longest_target = 0;
  for (auto i = sentences.begin; i < sentences.end; ++i) {
    const std::int64_t source = std::ssize(corpus_->source(i));
    const std::int64_t target = std::ssize(corpus_->target(i));
    longest_source = std::max(longest_source, source);
    longest_target = std::max(longest_target, target);
    unit.tokens += source + target;
  }
  unit.padded_tokens += sentences.size() * (longest_source + longest_target);
}

runtime::ComputedUnit ShardEncoder::compute_unit(core::Range batches,
                                                 const runtime::Abandoned& abandoned) {
  const ComputeThread thread(device_);
  const auto unit = std::make_shared<Unit>(empty_unit(batches));
  const auto clock = std::make_shared<BatchClock>(device_);
  for (auto batch = batches.begin; batch < batches.end; ++batch) {
    runtime::give_up_if(abandoned);
    clock->begin();
    encode_batch(batch, *unit);
    clock->end();
  }
  return {copies_.arrival(), [this, unit, clock](store::ShardFile& file) {
            write_unit(*unit, file);
            cost_.seconds += clock->seconds();
            cost_.tokens += unit->tokens;
            cost_.padded_tokens += unit->padded_tokens;
          }};
}

void ShardEncoder::write_unit(const Unit& unit, store::ShardFile& file) const {
  const auto sentences = corpus_->sentences_of(unit.batches);
  const auto rows = corpus_->entries_of(unit.batches);
  require_finite(unit.finite, *corpus_, rows.begin);
  const auto write_keys = [&](const char* name, std::int64_t first_row, const at::Tensor& keys) {
    if (keys.defined()) file.write(name, first_row, half_values(keys));
  };
  write_keys("keys", rows.begin, unit.keys);
  write_keys(log_probs_name, rows.begin, unit.log_probs);
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
