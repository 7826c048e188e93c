// Where the rows of the training sample come from.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/shared/sample/sample_rule.hpp"

namespace knnseq::stages {

/// Rows of the sample that this rank has read, in no particular order.
struct SampleRows {
  std::vector<std::int64_t> entries;
  std::vector<std::byte> keys;  ///< [entries, width], as they are stored
};

/// What a search for sample rows must know of a finished datastore.
struct SampledDatastore {
  std::filesystem::path folder;
  std::int64_t shards = 1;
  SampledCorpus corpus;    ///< what it was made of; for samples of entries their number is enough
  SampleSpec stored;       ///< what encode stored separately
  bool has_keys = true;    ///< whether all other rows are there too
  std::int64_t width = 0;  ///< of a key
  KeyType type = KeyType::fp16;

  static SampledDatastore of(const CorpusPaths& paths, const CorpusManifest& corpus,
                             const DatastoreManifest& datastore);
};

/// Finds the rows of the wanted sample (as SampleSpec::of gives it), each by one rank: among those
/// that encode stored apart if they include it, else by reading all keys once, which is logged.
/// Throws core::InputError on all ranks if neither is possible. Ranks share the units of the
/// shards as they do in encode. Memory: a rank's part of the sample and one unit of keys. Throws
/// core::InputError naming rows whose bytes do not have the checksum they were written with (only
/// the rank that read them), and core::Stopped on all ranks after a stop signal. Collective.
SampleRows find_sample_rows(runtime::StageContext& context, const SampledDatastore& datastore,
                            const SampleSpec& wanted);

}  // namespace knnseq::stages
