// What decoding in subsets is planned to take, wherever its copies lie.
#include <algorithm>

#include <catch2/catch.hpp>

#include "stages/shared/plan/planned_memory.hpp"

using namespace knnseq;
using stages::IndexCopies;

namespace {

constexpr std::int64_t entries = 3000;
constexpr std::int64_t codes = entries * (16 + 4) + 100 * 32;  ///< and values, places of sentences
constexpr std::int64_t block = 5 * 40 * 30 * (16 + 20);        ///< 5 sentences with 40 of 30 each

stages::StageMemory planned(IndexCopies copies, const std::string& sentence_index,
                            stages::SentenceEncoder encoder = stages::SentenceEncoder::mean) {
  stages::Options options;
  options.shards = 2;
  options.subset.encoder = encoder;
  options.subset.sentences = 40;
  options.subset.index = sentence_index;
  options.subset.codes = "PQ16";
  stages::DecodeOptions item;
  item.mode = stages::KnnMode::subset;
  item.copies = copies;
  item.block_sentences = 5;
  options.decode = {item};
  stages::Needs needs;
  needs.corpus = {100, 2000, entries, false};
  needs.width = 32;
  needs.index = index::parse_index_spec("IVF4,PQ16", 32, "l2");
  const auto stages = stages::plan_memory(options, needs, /*ranks=*/4);
  CHECK(stages.back().stage == stages::subset_decoding);
  return stages.back();
}

}  // namespace

TEST_CASE("subsets take a copy a node, a rank or a job") {
  constexpr std::int64_t lists = 100 * (8 + 8);      // IVF4,PQ8
  constexpr std::int64_t vectors = 100 * (128 + 8);  // Flat
  const auto node = planned(IndexCopies::node, "IVF4,PQ8");
  CHECK(node.of_host == codes + lists);
  CHECK(node.of_rank == block);
  const auto flat = planned(IndexCopies::node, "Flat");
  CHECK(flat.of_host == codes + vectors);
  CHECK(flat.of_rank == block);
  const auto of_faiss = planned(IndexCopies::node, "IVF4,Flat");
  CHECK(of_faiss.of_host == codes);
  CHECK(of_faiss.of_rank == block + vectors);
  const auto device = planned(IndexCopies::device, "IVF4,PQ8");
  CHECK(device.of_host == 0);
  CHECK(device.of_rank == block + codes + lists);
  for (const auto copies : {IndexCopies::job, IndexCopies::nodes, IndexCopies::automatic}) {
    const auto job = planned(copies, "Flat");
    CHECK(job.of_host == 0);
    CHECK(job.of_rank == block + (codes + vectors) / 2);  // two ranks a shard
  }
  const auto pieces = planned(IndexCopies::node, "Flat", stages::SentenceEncoder::bm25);
  CHECK(pieces.of_host == codes + 100 * 8 + 2000 * 8);
  CHECK(pieces.of_rank == block);
}
