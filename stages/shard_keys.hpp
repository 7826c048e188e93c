// The keys of a finished datastore, as encode committed them.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "core/types.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

/// One shard's keys, read unit by unit.
class ShardKeys {
 public:
  ShardKeys(const std::filesystem::path& datastore, std::int64_t shard);

  /// fp16 [rows, width]. rows: those of the unit. Throws core::InputError where they do not have
  /// the checksum that they were written with.
  at::Tensor read(std::int64_t unit, core::Range rows) const;

 private:
  std::filesystem::path path_;
  core::Json manifest_;
};

/// The packed ids of a shard's entries, int64 [entries]; tokens and entry numbers are checked
/// against what an id can hold. `first_entry`: number of the corpus's first entry in the index.
/// Throws core::InputError naming the line whose token is outside the vocabulary.
at::Tensor entry_ids(const store::CorpusShard& corpus, std::int64_t vocab_size,
                     std::int64_t first_entry = 0);

}  // namespace knnseq::stages
