#include "stages/shared/plan/planned_memory.hpp"

#include <algorithm>

#include "index/search/local_index.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

index::IndexSpec subset_codes(const Options& options, const Needs& needs) {
  return index::parse_index_spec(options.subset.codes, needs.width, options.index.metric);
}

/// Of decoding in subsets; `working` ranks have shards.
StageMemory plan_subsets(const Options& options, const Needs& needs, std::int64_t working) {
  const auto [shared, of_rank] = subset_copy(options, needs);
  StageMemory stage{subset_decoding, (shared + of_rank) / working};
  std::int64_t block = 0;
  for (const auto& decoding : options.decode) {
    if (!decoding.knn || decoding.mode == KnnMode::plain) continue;
    const auto similar = decoding.mode == KnnMode::memory ? 1 : options.subset.sentences;
    block = std::max(block, block_bytes(subset_codes(options, needs), decoding.block_sentences,
                                        similar, needs.corpus));
    if (decoding.copies == IndexCopies::node) stage = {subset_decoding, of_rank, shared};
    if (decoding.copies == IndexCopies::device) stage = {subset_decoding, shared + of_rank};
  }
  stage.of_rank += block;
  return stage;
}

}  // namespace

SubsetMemory subset_copy(const Options& options, const Needs& needs) {
  std::optional<index::IndexSpec> sentences;
  if (options.subset.has_vectors()) {
    sentences = index::parse_index_spec(options.subset.index, needs.width, options.subset.metric);
  }
  return subset_memory(subset_codes(options, needs), sentences, needs.corpus);
}

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
  if (options.decodes_subsets()) stages.push_back(plan_subsets(options, needs, working));
  return stages;
}

}  // namespace knnseq::stages
