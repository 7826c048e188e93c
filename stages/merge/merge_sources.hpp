// The run directories that are merged, and what becomes of their corpora.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/reader_lock.hpp"
#include "runtime/stage_context.hpp"
#include "stages/shared/shards/built_datastore.hpp"

namespace knnseq::stages {

/// A run directory that is read. Rank 0 holds a reader's lock on it as long as this lives.
struct MergeSource {
  std::filesystem::path run_dir;
  std::string name;  ///< given on the command line, or empty
  std::unique_ptr<runtime::ReaderLock> lock;
  std::string config;                 ///< its config.yaml
  std::vector<AppendOptions> append;  ///< of that config
  BuiltDatastore datastore;           ///< whole: with what prune left out of its index
  std::string codebook;               ///< fingerprint of what it is, whatever it was trained on
  std::vector<std::string> rows;      ///< fingerprint of each corpus's text and keys
};

/// Opens "DIR" or "NAME=DIR". Collective; throws core::InputError (on all ranks) if it is no run
/// directory, is being changed, or if its datastore is not finished.
MergeSource open_source(runtime::StageContext& context, const Options& options,
                        const std::string& argument);

/// Throws core::InputError naming both run directories if the keys of one cannot be searched
/// together with those of the other. Not collective.
void require_alike(const MergeSource& first, const MergeSource& other);

/// A corpus of a source, and what it becomes.
struct MergedCorpus {
  const MergeSource& source;
  const BuiltCorpus& built;
  AppendOptions append;  ///< its item of `append:`; the first corpus has no name
  CorpusPaths paths;     ///< in the new run directory
  std::string rows;      ///< as in MergeSource
};

/// All corpora in the order of their entries; one that several sources have, in that of the first.
/// Throws core::InputError if two that differ would have one name, saying how to give another, or
/// if there are more entries than numbers. Not collective.
std::vector<MergedCorpus> plan_merge(const std::vector<MergeSource>& sources,
                                     const Options& options);

}  // namespace knnseq::stages
