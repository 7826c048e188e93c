// Coding of one shard's vectors.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "index/quantize/vector_quantizer.hpp"
#include "runtime/shard_jobs.hpp"
#include "stages/shared/shards/batch_encoder.hpp"
#include "stages/shared/shards/host_copies.hpp"
#include "stages/shared/shards/shard_keys.hpp"
#include "stages/shared/shards/unit_report.hpp"
#include "store/corpus_shard.hpp"
#include "store/shard_file.hpp"

namespace knnseq::stages {

/// What a row stands for: an entry and its key, or a sentence and its vector.
enum class CodedRows { entries, sentences };

/// Where the vectors are.
struct VectorSource {
  std::filesystem::path folder;
  std::string dataset = "keys";
  CodedRows rows = CodedRows::entries;
  const BatchEncoder* encoder = nullptr;  ///< makes the keys if they are not stored
};

/// Vectors to lists and codes, unit by unit, on the quantizer's device. Each batch of the corpus is
/// one matrix product, as it was when it was encoded: batches do not depend on shards or ranks, so
/// lists and codes do not either.
class ShardCoder {
 public:
  ShardCoder(const index::VectorQuantizer& quantizer, VectorSource source)
      : coder_(quantizer), source_(std::move(source)), copies_(quantizer.device()) {}

  /// corpus must live until the next call.
  void open_shard(const store::CorpusShard& corpus, std::int64_t shard);
  std::vector<store::DatasetSpec> layout() const;
  std::int64_t rows() const;  ///< of the open shard
  core::Range rows_of(core::Range batches) const;
  /// unit: number of the unit; batches: its batches. Reads the stored vectors or makes them, and
  /// codes them; on a GPU the work has only been started when this returns. Throws core::InputError
  /// if the vectors do not match their checksums; the function that writes the unit's rows throws
  /// as require_finite(). To be called on any thread, but always the same one.
  runtime::ComputedUnit compute_unit(std::int64_t unit, core::Range batches,
                                     const runtime::Abandoned& abandoned);
  /// Turns the finished lists and codes in `coded` into a faiss file. ids: int64 [rows]. Returns
  /// index::count_crowded().
  std::int64_t write_index(const std::filesystem::path& coded, const std::filesystem::path& index,
                           const at::Tensor& ids) const;

  /// Of all units written.
  const UnitCost& cost() const { return cost_; }

 private:
  /// What is made of a unit, in host memory; undefined if there is no such thing.
  struct Unit {
    core::Range rows;
    at::Tensor lists, codes;
    at::Tensor finite;  ///< [rows] bool; of keys that were made, not read
  };
  Unit empty_unit(core::Range rows) const;
  /// keys: of the batch; undefined if they are to be made.
  void code_batch(std::int64_t batch, at::Tensor keys, Unit& unit);
  void write_unit(const Unit& unit, store::ShardFile& file) const;

  const index::VectorQuantizer& coder_;
  VectorSource source_;
  HostCopies copies_;
  UnitCost cost_;
  const store::CorpusShard* corpus_ = nullptr;
  std::optional<ShardKeys> keys_;  ///< none if an encoder makes them
};

}  // namespace knnseq::stages
