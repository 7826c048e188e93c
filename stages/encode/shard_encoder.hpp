// Encoding of one shard.
#pragma once

#include <vector>

#include "runtime/shard_jobs.hpp"
#include "stages/shared/sample/sample_rule.hpp"
#include "stages/shared/shards/batch_encoder.hpp"
#include "stages/shared/shards/datastore_unit.hpp"
#include "stages/shared/shards/host_copies.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// What encoding cost.
struct EncodingCost {
  double seconds = 0;       ///< in which the device worked on batches
  std::int64_t tokens = 0;  ///< of both sides
  std::int64_t padded_tokens =
      0;  ///< the same with every sentence of a batch as long as its longest
};

/// Encodes the units of a shard that are not done yet.
class ShardEncoder {
 public:
  /// `device` is the model's.
  ShardEncoder(model::TranslationModel& model, const DatastoreOptions& options,
               const SampleRule& sample, at::Device device)
      : model_(model),
        options_(options),
        sample_(sample),
        encoder_(model, options),
        device_(device),
        copies_(device) {}

  /// corpus must live until the next call.
  void open_shard(const store::CorpusShard& corpus);
  /// Datasets of the open shard's file.
  std::vector<store::DatasetSpec> layout() const;

  /// Encodes the batches of one unit, or with KeyStore::none those that hold rows of the sample. On
  /// a GPU it has only been started when this returns. What writes the unit's rows throws
  /// core::InputError naming the sentence if a key is not finite. On any thread, but always the
  /// same.
  runtime::ComputedUnit compute_unit(core::Range batches, const runtime::Abandoned& abandoned);

  /// Of all units written.
  const EncodingCost& cost() const { return cost_; }

 private:
  /// What the model makes of a unit.
  struct Unit {
    DatastoreUnit stored;
    at::Tensor finite;  ///< [entries] bool
    std::int64_t tokens = 0;
    std::int64_t padded_tokens = 0;
  };
  Unit empty_unit(core::Range batches) const;
  void encode_batch(std::int64_t batch, Unit& unit);
  void count_padding(core::Range sentences, Unit& unit) const;
  void write_unit(const Unit& unit, store::ShardFile& file) const;

  model::TranslationModel& model_;
  DatastoreOptions options_;
  SampleRule sample_;
  BatchEncoder encoder_;
  at::Device device_;
  HostCopies copies_;
  EncodingCost cost_;
  const store::CorpusShard* corpus_ = nullptr;
  std::vector<std::int64_t> sample_rows_;  ///< of the shard, ascending
};

}  // namespace knnseq::stages
