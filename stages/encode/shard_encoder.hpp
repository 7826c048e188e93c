// Encoding of one shard.
#pragma once

#include <vector>

#include "model/translation_model.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/encode/host_copies.hpp"
#include "stages/options.hpp"
#include "stages/sample_rule.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// What encoding cost so far.
struct EncodingCost {
  double seconds = 0;       ///< in which the device worked on batches
  std::int64_t tokens = 0;  ///< of both sides
  std::int64_t places = 0;  ///< the same with every sentence of a batch as long as its longest
};

/// Encodes the units of a shard that are not done yet.
class ShardEncoder {
 public:
  /// `device` is the model's.
  ShardEncoder(model::TranslationModel& model, const DatastoreOptions& options,
               const SampleRule& sample, at::Device device)
      : model_(model), options_(options), sample_(sample), device_(device), copies_(device) {}

  /// corpus must live until the next call.
  void open_shard(const store::CorpusShard& corpus);
  /// Datasets of the open shard's file.
  std::vector<store::DatasetSpec> layout() const;

  /// Encodes the batches of one unit; on a GPU it has only been told to when this returns. Writing
  /// throws core::InputError naming the sentence where a key is not finite. On a thread of its own.
  runtime::ComputedUnit compute_unit(core::Range batches);

  /// Of the units written.
  const EncodingCost& cost() const { return cost_; }

 private:
  /// What is made of a unit, in host memory.
  struct Unit {
    core::Range batches;
    at::Tensor keys;           ///< [entries, width] fp16
    at::Tensor sentence_keys;  ///< [sentences, source_width] fp16, if wanted
    at::Tensor finite;         ///< [batches] bool
  };

  void encode_batch(std::int64_t batch, const Unit& unit);
  void write_unit(const Unit& unit, store::ShardFile& file) const;
  void write_sample(const Unit& unit, store::ShardFile& file) const;
  void require_finite(const Unit& unit) const;
  void add_cost(core::Range batches, double seconds);

  model::TranslationModel& model_;
  DatastoreOptions options_;
  SampleRule sample_;
  at::Device device_;
  HostCopies copies_;
  EncodingCost cost_;
  const store::CorpusShard* corpus_ = nullptr;
  std::vector<std::int64_t> sample_rows_;  ///< of the shard, ascending
};

}  // namespace knnseq::stages
