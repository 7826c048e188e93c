#include "stages/shared/plan/planned_memory.hpp"

#include <algorithm>

#include "index/search/local_index.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

std::vector<StageMemory> plan_memory(const Options& options, const Needs& needs,
                                     std::int64_t ranks) {
  constexpr std::int64_t fp32 = 4;
  constexpr std::int64_t number = 8;
  const auto& spec = needs.index;
  const auto& corpus = needs.corpus;
  const std::int64_t index = index_bytes(needs);
  // Tokens of both sides, and numbers of each sentence.
  const std::int64_t text =
      (corpus.source_tokens + corpus.entries) * fp32 + 5 * corpus.sentences * number;
  const std::int64_t shard = text / options.shards;
  const std::int64_t working = std::min(ranks, options.shards);
  std::vector<StageMemory> stages = {
      {"partition", 3 * text / ranks},  // as read, as sent, as received
      {"encode", shard},
      {"train", planned_sample(options, needs) * spec.d_out * fp32 / ranks +
                    spec.nlist * spec.d_out * 2 * fp32},
      // A shard's codes and ids, and the file that is made of them.
      {"add", shard + 2 * index / options.shards + codebook_bytes(spec)},
      // Where no node has room for a whole copy, all ranks hold one together.
      {"decode", index / working}};
  if (needs.imported) {  // a part of the corpus, and two units of keys, whatever their number
    constexpr std::int64_t part = std::int64_t{16} << 20;
    stages[0].of_rank = part;
    stages[1].of_rank = part + 2 * store::unit_entries * needs.width * bytes_of(*needs.imported);
  }
  for (const auto& decoding : options.decode) {
    if (!decoding.knn || decoding.mode != KnnMode::plain) continue;
    // Beside codes and ids our own code keeps a number of each entry: its term, or its norm.
    const bool ours = index::lies_in_shared_memory(spec, decoding.search.backend);
    const std::int64_t copy = index + (ours ? corpus.entries * fp32 : 0);
    stages.back() = {"decode", copy / working};
    if (decoding.copies == IndexCopies::node) stages.back() = {"decode", 0, copy};
    if (decoding.copies == IndexCopies::device) stages.back() = {"decode", copy};
  }
  return stages;
}

}  // namespace knnseq::stages
