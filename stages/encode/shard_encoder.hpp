// Encoding of one shard.
#pragma once

#include <span>
#include <vector>

#include "stages/batch_encoder.hpp"
#include "stages/sample_rule.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// Encodes the units of a shard that are not done yet.
class ShardEncoder {
 public:
  ShardEncoder(model::TranslationModel& model, const DatastoreOptions& options,
               const SampleRule& sample)
      : model_(model), options_(options), sample_(sample), encoder_(model, options) {}

  /// corpus must live until the next call.
  void open_shard(const store::CorpusShard& corpus);
  /// Datasets of the open shard's file.
  std::vector<store::DatasetSpec> layout() const;

  /// Encodes the batches of one unit, or with KeyStore::none those that hold rows of the sample,
  /// and writes the unit's rows. Throws core::InputError naming the sentence where a key is not
  /// finite.
  void encode_unit(core::Range batches, store::ShardFile& file) const;

 private:
  /// What the model makes of a unit; undefined where nothing is to be written.
  struct Unit {
    at::Tensor keys, sentence_keys, sample_keys;
  };
  Unit make_all(core::Range batches) const;
  Unit make_sample(core::Range batches) const;
  void write_unit(core::Range batches, const Unit& unit, store::ShardFile& file) const;
  /// Those of the shard's rows that belong to the sample.
  std::span<const std::int64_t> sampled_of(core::Range rows) const;

  model::TranslationModel& model_;
  DatastoreOptions options_;
  SampleRule sample_;
  BatchEncoder encoder_;
  const store::CorpusShard* corpus_ = nullptr;
  std::vector<std::int64_t> sample_rows_;  ///< of the shard, ascending
};

}  // namespace knnseq::stages
