#include "stages/shared/shards/datastore_unit.hpp"

#include <algorithm>

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/shards/batch_encoder.hpp"

namespace knnseq::stages {

namespace {

template <class T>
std::span<const T> part(const std::vector<T>& values, core::Range range) {
  return std::span<const T>(values).subspan(range.begin, range.size());
}

const char* numpy_name(KeyType type) {
  if (type == KeyType::fp16) return "float16";
  return type == KeyType::fp32 ? "float32" : "bfloat16";
}

}  // namespace

std::string describe_keys(KeyType type, std::int64_t width) {
  return fmt::format("{} [entries, {}]", numpy_name(type), width);
}

std::vector<store::DatasetSpec> datastore_datasets(const StoredVectors& stored,
                                                   const DatastoreRows& rows) {
  using store::DataType;
  const auto [entries, sentences, sampled] = rows;
  std::vector<store::DatasetSpec> specs;
  if (stored.keys) {
    specs.push_back({"keys",
                     data_type_of(stored.type),
                     {entries, stored.width},
                     {{"description", stored.description}}});
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
       data_type_of(stored.type),
       {sampled, stored.width},
       {{"description", "the keys of this shard that belong to the training sample"}},
       /*aside=*/true},
      {"sample_entries",
       DataType::int64,
       {sampled},
       {{"description", "global entry numbers of sample_keys"}},
       /*aside=*/true}};
  specs.insert(specs.end(), others.begin(), others.end());
  if (stored.sentence_keys) {
    specs.push_back({"sentence_keys",
                     DataType::float16,
                     {sentences, stored.sentence_width},
                     {{"description", stored.sentence_description}}});
  }
  if (stored.log_probs) specs.push_back(log_probs_dataset(entries));
  return specs;
}

std::span<const std::int64_t> rows_between(std::span<const std::int64_t> sample_rows,
                                           core::Range rows) {
  const auto first = std::lower_bound(sample_rows.begin(), sample_rows.end(), rows.begin);
  return {first, std::lower_bound(first, sample_rows.end(), rows.end)};
}

void write_sentences(const store::CorpusShard& corpus, core::Range sentences,
                     store::ShardFile& file) {
  file.write("sentence_numbers", sentences.begin, part(corpus.sentence_numbers, sentences));
  file.write("entry_starts", sentences.begin, part(corpus.entry_starts, sentences));
  file.write("line_numbers", sentences.begin, part(corpus.line_numbers, sentences));
  const bool last = sentences.end == corpus.sentences();
  file.write("sentence_starts", sentences.begin,
             part(corpus.sentence_starts, {sentences.begin, sentences.end + (last ? 1 : 0)}));
}

void write_datastore_unit(const DatastoreUnit& unit, const store::CorpusShard& corpus,
                          std::span<const std::int64_t> sample_rows, store::ShardFile& file) {
  const auto sentences = corpus.sentences_of(unit.batches);
  const auto rows = corpus.entries_of(unit.batches);
  const auto write_vectors = [&](const char* name, std::int64_t first_row, const at::Tensor& all) {
    if (all.defined()) file.write(name, first_row, bytes_of(all));
  };
  write_vectors("keys", rows.begin, unit.keys);
  write_vectors(log_probs_name, rows.begin, unit.log_probs);
  file.write("values", rows.begin, part(corpus.target_tokens, rows));
  write_vectors("sentence_keys", sentences.begin, unit.sentence_keys);
  write_sentences(corpus, sentences, file);

  const auto sampled = rows_between(sample_rows, rows);
  if (sampled.empty()) return;
  const auto at_sample = sampled.data() - sample_rows.data();
  write_vectors("sample_keys", at_sample, unit.sample_keys);
  std::vector<std::int64_t> entries;
  for (const auto row : sampled) entries.push_back(corpus.entry_number(row));
  file.write("sample_entries", at_sample, std::span<const std::int64_t>(entries));
}

}  // namespace knnseq::stages
