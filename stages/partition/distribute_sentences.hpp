// Which shard a sentence belongs to, and its way there.
#pragma once

#include <map>
#include <vector>

#include "comm/communicator.hpp"
#include "stages/shared/text/sentence_pairs.hpp"
#include "store/corpus_shard.hpp"
#include "text/batching.hpp"

namespace knnseq::stages {

/// Batch b belongs to shard b mod S, and shard s is put together by rank s mod P.
struct Partitioning {
  std::int64_t shards = 1;
  std::int64_t max_positions = 0;  ///< most tokens of either side
  std::int64_t max_tokens = 0;
};

/// The corpus after dealing: this rank's shards, and the batches of all.
struct PartitionedCorpus {
  std::map<std::int64_t, store::CorpusShard> shards;  ///< those that this rank writes
  std::vector<text::Batch> batches;
  std::int64_t sentences = 0;
  std::int64_t entries = 0;
};

/// Sorts the sentences of all ranks by length (a distributed counting sort; ties in the order of
/// the corpus), cuts the sorted sequence into batches and brings each sentence to the rank that
/// writes its shard. Batches are the same for any number of ranks and shards. Collective.
PartitionedCorpus distribute_sentences(comm::Communicator& comm, const SentencePairs& pairs,
                                       const Partitioning& partitioning);

}  // namespace knnseq::stages
