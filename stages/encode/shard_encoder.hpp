// Encoding of one shard.
#pragma once

#include <filesystem>
#include <string>

#include "model/translation_model.hpp"
#include "runtime/progress.hpp"
#include "runtime/shard_team.hpp"
#include "stages/encode/sample.hpp"
#include "stages/options.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// Encodes the units of a shard that are not done yet.
class ShardEncoder {
 public:
  ShardEncoder(model::TranslationModel& model, const DatastoreOptions& options,
               const SampleRule& sample)
      : model_(model), options_(options), sample_(sample) {}

  /// Datasets of the shard's file. Rows of the sample must have been set by open_shard().
  std::vector<store::DatasetSpec> layout() const;
  void open_shard(const store::CorpusShard& corpus);

  /// Encodes the batches of one unit and writes their rows. Throws core::InputError naming the
  /// sentence where a key is not finite.
  void encode_unit(core::Range batches, store::ShardFile& file) const;

  std::int64_t sample_size() const { return std::ssize(sample_rows_); }

 private:
  model::TranslationModel& model_;
  DatastoreOptions options_;
  SampleRule sample_;
  const store::CorpusShard* corpus_ = nullptr;
  std::vector<std::int64_t> sample_rows_;
};

}  // namespace knnseq::stages
