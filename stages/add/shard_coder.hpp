// Coding of one shard's keys.
#pragma once

#include <filesystem>
#include <optional>

#include "index/coder.hpp"
#include "stages/shard_keys.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// Keys to lists and codes, unit by unit. Each batch of the corpus is one matrix product, as it was
/// when it was encoded: batches do not depend on shards or ranks, so lists and codes do not either.
class ShardCoder {
 public:
  /// first_entry: the number that the corpus's first entry gets in the index.
  ShardCoder(const index::Coder& coder, std::filesystem::path datastore, std::int64_t first_entry)
      : coder_(coder), datastore_(std::move(datastore)), first_entry_(first_entry) {}

  /// corpus must live until the next call.
  void open_shard(const store::CorpusShard& corpus, std::int64_t shard);
  std::vector<store::DatasetSpec> layout() const;
  /// unit: number of the unit; batches: its batches. Throws core::InputError where the keys do not
  /// have the checksum that they were written with.
  void code_unit(std::int64_t unit, core::Range batches, store::ShardFile& file) const;
  /// Turns the finished lists and codes in `coded` into a faiss file.
  void write_index(const std::filesystem::path& coded, const std::filesystem::path& index,
                   std::int64_t vocab_size) const;

 private:
  const index::Coder& coder_;
  std::filesystem::path datastore_;
  std::int64_t first_entry_;
  const store::CorpusShard* corpus_ = nullptr;
  std::optional<ShardKeys> keys_;
};

}  // namespace knnseq::stages
