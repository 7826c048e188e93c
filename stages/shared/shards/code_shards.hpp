// Coding of all shards: the loop that the datastore's index and the subset's data share.
#pragma once

#include <filesystem>
#include <functional>

#include "runtime/stage_context.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/shared/shards/shard_coder.hpp"

namespace knnseq::stages {

/// What is coded, with which codebook, and where it goes.
struct ShardCoding {
  const CorpusPaths& paths;
  const CorpusManifest& corpus;
  VectorSource vectors;
  StageRef codebook;  ///< what trained it
  std::filesystem::path folder;
};

/// Ids, int64 [rows], that a shard's faiss file gives to its rows.
using ShardIds = std::function<at::Tensor(const store::CorpusShard& corpus, std::int64_t shard)>;

/// Fills `folder`: with shard-*.faiss, or without `ids` with shard-*.h5 that hold the codes in the
/// order of rows; resumes unfinished work (runtime::ShardJobs). Collective.
runtime::StageOutcome code_shards(runtime::StageContext& context, const ShardCoding& coding,
                                  const ShardIds& ids = {});

}  // namespace knnseq::stages
