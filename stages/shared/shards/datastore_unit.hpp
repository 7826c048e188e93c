// What the file of a datastore's shard holds, and how a unit of it is written.
#pragma once

#include <span>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "stages/shared/options/options.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// What is stored of each entry and sentence, beside values and numbers.
struct StoredVectors {
  std::int64_t width = 0;
  KeyType type = KeyType::fp16;
  std::string description;  ///< of keys
  bool keys = true;         ///< all of them, or those of the sample only
  bool sentence_keys = false;
  std::int64_t sentence_width = 0;
  std::string sentence_description = "mean of the encoder's output over the source";
  bool log_probs = false;
};

/// "float16 [entries, 512]"
std::string describe_keys(KeyType type, std::int64_t width);

/// How much a shard holds.
struct DatastoreRows {
  std::int64_t entries = 0;
  std::int64_t sentences = 0;
  std::int64_t sampled = 0;  ///< entries of the training sample
};

std::vector<store::DatasetSpec> datastore_datasets(const StoredVectors& stored,
                                                   const DatastoreRows& rows);

/// The vectors of a unit in host memory, contiguous, of the stored types; undefined if nothing is
/// to be written.
struct DatastoreUnit {
  core::Range batches;
  at::Tensor keys, sentence_keys, log_probs;
  at::Tensor sample_keys;
};

/// Those of a shard's sampled rows (ascending) that lie in `rows`.
std::span<const std::int64_t> rows_between(std::span<const std::int64_t> sample_rows,
                                           core::Range rows);

/// Writes what the corpus says of these sentences: their numbers, lines and starts.
void write_sentences(const store::CorpusShard& corpus, core::Range sentences,
                     store::ShardFile& file);

/// Writes a unit, with what the corpus says of it. On the thread that calls HDF5.
void write_datastore_unit(const DatastoreUnit& unit, const store::CorpusShard& corpus,
                          std::span<const std::int64_t> sample_rows, store::ShardFile& file);

}  // namespace knnseq::stages
