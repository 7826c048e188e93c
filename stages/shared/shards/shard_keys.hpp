// The vectors of a finished datastore, as they were committed.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "core/types.hpp"
#include "store/corpus_shard.hpp"
#include "store/row_reader.hpp"

namespace knnseq::stages {

/// One shard's vectors (or codes of them), read unit by unit, on any thread: HDF5 is called by the
/// constructor only.
class ShardKeys {
 public:
  /// folder: the datastore, or another one with files of shards in the same units. type: that the
  /// dataset must have; none: any that vectors may be stored in (KeyType). Throws core::InputError
  /// if the shard is not as its manifests say.
  ShardKeys(const std::filesystem::path& folder, std::int64_t shard, std::string dataset = "keys",
            std::optional<store::DataType> type = {}, int dimensions = 2);

  /// [rows, width] of vectors in the type that is stored, on `device` (by way of pinned memory).
  /// rows: those of the unit. Throws core::InputError if they do not have the checksum that they
  /// were written with.
  at::Tensor read(std::int64_t unit, core::Range rows, at::Device device = at::kCPU) const;
  /// The unit's rows of a dataset of any type, from first_row on; throws likewise.
  void read_bytes(std::int64_t unit, std::int64_t first_row, std::span<std::byte> bytes) const;
  /// Values in a row of a dataset of two dimensions.
  std::int64_t width() const { return rows_.shape().at(1); }

 private:
  std::filesystem::path path_;
  core::Json manifest_;
  std::string dataset_;
  store::DataType type_;
  store::RowReader rows_;
};

/// The packed ids of a shard's entries, int64 [entries]; tokens and entry numbers are checked
/// against what an id can hold. `first_entry`: number of the corpus's first entry in the index.
/// Throws core::InputError naming the line whose token is outside the vocabulary.
at::Tensor entry_ids(const store::CorpusShard& corpus, std::int64_t vocab_size,
                     std::int64_t first_entry = 0);

}  // namespace knnseq::stages
