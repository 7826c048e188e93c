// A finished datastore: the first corpus of a run directory and those appended to it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "runtime/stage_context.hpp"
#include "stages/shared/inputs/manifests.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

/// A corpus whose entries are in the index, and the manifests behind them.
struct BuiltCorpus {
  CorpusPaths paths;  ///< with its first_entry
  CorpusManifest corpus;
  DatastoreManifest datastore;
  IndexManifest index;
  std::optional<PrunedManifest> pruned = {};  ///< if paths.prune is on: that is searched
  bool searched = true;                       ///< false: knn.corpora does not name it

  std::int64_t entries() const { return index.entries; }
  std::int64_t searched_entries() const { return pruned ? pruned->entries : index.entries; }
  /// Of what is searched.
  const std::string& identity() const { return pruned ? pruned->identity : index.codes.identity; }
  std::int64_t shards() const { return corpus.shards; }
};

struct BuiltDatastore {
  CodebookManifest codebook;
  std::vector<BuiltCorpus> corpora;  ///< the first one, then those appended

  const BuiltCorpus& first() const { return corpora.front(); }
  std::int64_t entries() const;  ///< of all corpora, those that prune left out among them
  std::int64_t searched_entries() const;
  /// Those of the corpora that are searched.
  std::vector<const BuiltCorpus*> searched() const;
  /// Searches no other corpora than those of these names ("main" is the first); none: all.
  void search_only(const std::vector<std::string>& names);
};

/// "main" for the first corpus.
std::string name_of(const BuiltCorpus& built);

/// Reads the manifests of the first corpus and of those appended to it. Throws core::InputError (on
/// all ranks), naming the command, if a stage is missing or was made from other inputs than those
/// that are there now, or an appended corpus was distributed over another number of shards,
/// tokenised otherwise or encoded by another model than the first. Collective.
BuiltDatastore read_datastore(runtime::StageContext& context, const CorpusPaths& first,
                              const std::vector<CorpusPaths>& appended);

/// The same with whole indexes: what prune leaves out of an index is not its end.
BuiltDatastore read_whole_datastore(runtime::StageContext& context, CorpusPaths first,
                                    std::vector<CorpusPaths> appended);

/// The corpora that were appended in another run directory under the codebook that is there now, in
/// the order of their entries. Its config, which may have been changed, is not asked: what was
/// appended and not removed belongs to it. Collective.
std::vector<CorpusPaths> corpora_appended_in(runtime::StageContext& context, const Options& options,
                                             const std::filesystem::path& run_dir);

/// Throws core::InputError (on all ranks) if the keys were made by another model, layer or
/// tokeniser than the config says; `model` is one of options.models. Collective.
void require_config(runtime::StageContext& context, const Options& options,
                    const BuiltCorpus& built, const std::filesystem::path& model);

std::filesystem::path shard_file(const std::filesystem::path& folder, std::int64_t shard);
/// Throws core::InputError if the bytes of `folder`/shard-*.faiss are not those of its manifest;
/// `remedy` says what to do. Not collective.
std::filesystem::path checked_shard_file(const std::filesystem::path& folder, std::int64_t shard,
                                         const std::string& remedy);

/// The file of one shard that is searched.
std::filesystem::path index_file(const CorpusPaths& paths, std::int64_t shard);
/// The same, its bytes compared with its manifest. Throws core::InputError. Not
/// collective.
std::filesystem::path checked_index_file(const CorpusPaths& paths, std::int64_t shard);

}  // namespace knnseq::stages
