#include "stages/encode/shard_encoder.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "gpu/integer_upload.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/shards/batch_clock.hpp"
#include "stages/shared/shards/compute_thread.hpp"

namespace knnseq::stages {

namespace {

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
  const auto& info = model_.info();
  return datastore_datasets({.width = info.width,
                             .type = options_.keys,
                             .description = fmt::format("decoder vectors ({}), one a target token",
                                                        core::name_of(options_.key.kind)),
                             .keys = options_.store == KeyStore::keys,
                             .sentence_keys = options_.sentence_keys,
                             .sentence_width = info.source_width,
                             .log_probs = options_.log_probs},
                            {corpus_->entries(), corpus_->sentences(), std::ssize(sample_rows_)});
}

ShardEncoder::Unit ShardEncoder::empty_unit(core::Range batches) const {
  const auto rows = corpus_->entries_of(batches);
  const auto& info = model_.info();
  Unit unit;
  unit.stored.batches = batches;
  unit.finite = copies_.buffer({rows.size()}, at::kBool).fill_(true);
  const auto type = scalar_type_of(options_.keys);
  const auto sampled = std::ssize(rows_between(sample_rows_, rows));
  if (sampled > 0) unit.stored.sample_keys = copies_.buffer({sampled, info.width}, type);
  if (options_.store == KeyStore::keys) {
    unit.stored.keys = copies_.buffer({rows.size(), info.width}, type);
  }
  if (options_.sentence_keys) {
    unit.stored.sentence_keys =
        copies_.buffer({corpus_->sentences_of(batches).size(), info.source_width}, at::kHalf);
  }
  if (options_.log_probs) unit.stored.log_probs = copies_.buffer({rows.size()}, at::kHalf);
  return unit;
}

void ShardEncoder::encode_batch(std::int64_t batch, Unit& unit) {
  const auto unit_rows = corpus_->entries_of(unit.stored.batches);
  const auto rows = corpus_->entries_of({batch, batch + 1});
  const auto sampled = rows_between(sample_rows_, rows);
  if (options_.store == KeyStore::none && sampled.empty()) return;
  const EncodedBatches encoded = encoder_.encode_batch(*corpus_, batch);
  const auto sentences = corpus_->sentences_of({batch, batch + 1});
  const auto copy = [&](const at::Tensor& to, std::int64_t first_row, const at::Tensor& from) {
    copies_.copy(to.narrow(0, first_row, from.size(0)), from);
  };
  const auto row = rows.begin - unit_rows.begin;
  copy(unit.finite, row, at::isfinite(encoded.keys).all(1));
  if (unit.stored.keys.defined()) copy(unit.stored.keys, row, encoded.keys);
  if (unit.stored.log_probs.defined()) copy(unit.stored.log_probs, row, encoded.log_probs);
  if (unit.stored.sentence_keys.defined()) {
    const auto first = corpus_->sentences_of(unit.stored.batches).begin;
    copy(unit.stored.sentence_keys, sentences.begin - first, encoded.sentence_keys);
  }
  if (!sampled.empty()) {
    copy(unit.stored.sample_keys, sampled.data() - rows_between(sample_rows_, unit_rows).data(),
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
  require_finite(unit.finite, *corpus_, corpus_->entries_of(unit.stored.batches).begin,
                 options_.keys);
  write_datastore_unit(unit.stored, *corpus_, sample_rows_, file);
}

}  // namespace knnseq::stages
