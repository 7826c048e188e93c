#include <algorithm>
#include <map>
#include <set>

#include "core/random.hpp"
#include "stages/partition/distribute_sentences.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr std::int64_t sentences = 500;

/// Sentence i of a made-up corpus, the same on every rank: its tokens name it.
void append_sentence(SentencePairs& pairs, std::int64_t i) {
  core::Random random(static_cast<std::uint64_t>(i));
  const auto add = [&](std::vector<core::TokenId>& tokens, std::vector<std::int64_t>& starts) {
    tokens.insert(tokens.end(), random.below(20), static_cast<core::TokenId>(i + 1));
    tokens.push_back(0);
    starts.push_back(std::ssize(tokens));
  };
  add(pairs.source_tokens, pairs.source_starts);
  add(pairs.target_tokens, pairs.target_starts);
  pairs.lines.push_back(2 * i);
}

SentencePairs part_of_corpus(core::Range range) {
  SentencePairs pairs;
  for (auto i = range.begin; i < range.end; ++i) append_sentence(pairs, i);
  return pairs;
}

}  // namespace

TEST_CASE("every sentence comes to the shard of its batch, whole and once, whatever the ranks") {
  auto& world = test::world();
  const auto mine = part_of_corpus(core::even_part(sentences, world.rank(), world.size()));
  const auto all = part_of_corpus({0, sentences});
  for (const std::int64_t shards : {1, 2, 5}) {
    const auto corpus = distribute_sentences(world, mine, {shards, 32, 120});
    CHECK(corpus.sentences == sentences);
    CHECK(corpus.entries == std::ssize(all.target_tokens));

    // The batches in their order, put together again from the shards.
    std::int64_t seen = 0;
    bool right = true;
    for (const auto& [number, shard] : corpus.shards) {
      right = right && number % world.size() == world.rank();
      right =
          right && shard.batches() == (std::ssize(corpus.batches) - number + shards - 1) / shards;
      for (std::int64_t b = 0; b < shard.batches(); ++b) {
        const auto& batch = corpus.batches[b * shards + number];
        const auto range = shard.sentences_of({b, b + 1});
        right = right && range.size() == batch.sentences;
        for (auto row = range.begin; row < range.end; ++row) {
          const auto at = static_cast<std::size_t>(row);
          const auto i = static_cast<std::size_t>(shard.sentence_numbers[at]);
          const auto expected = [&](const auto& tokens, const auto& starts) {
            return std::vector<core::TokenId>(tokens.begin() + starts[i],
                                              tokens.begin() + starts[i + 1]);
          };
          right = right && shard.source(row) == expected(all.source_tokens, all.source_starts);
          right = right && shard.target(row) == expected(all.target_tokens, all.target_starts);
          right = right && shard.entry_starts[at] == all.target_starts[i];
          right = right && shard.line_numbers[at] == 2 * static_cast<std::int64_t>(i);
          ++seen;
        }
      }
    }
    REQUIRE_ALL(right);
    REQUIRE_ALL(world.all_reduce(seen, comm::Reduction::sum) == sentences);
  }
}

TEST_CASE("batches do not depend on ranks or shards, and are sorted by length") {
  auto& world = test::world();
  const auto mine = part_of_corpus(core::even_part(sentences, world.rank(), world.size()));
  const auto alone = world.split(world.rank());
  const auto reference = distribute_sentences(*alone, part_of_corpus({0, sentences}), {1, 32, 120});
  REQUIRE_ALL(distribute_sentences(world, mine, {3, 32, 120}).batches == reference.batches);
  REQUIRE_ALL(
      std::is_sorted(reference.batches.begin(), reference.batches.end(),
                     [](const auto& a, const auto& b) { return a.max_target < b.max_target; }));
}

TEST_CASE("a rank without sentences and a corpus of one sentence") {
  auto& world = test::world();
  const auto mine = part_of_corpus({0, world.is_root() ? 1 : 0});
  const auto corpus = distribute_sentences(world, mine, {4, 32, 120});
  REQUIRE_ALL(corpus.sentences == 1);
  REQUIRE_ALL(corpus.batches.size() == 1);
  REQUIRE_ALL(!corpus.shards.contains(3) || corpus.shards.at(3).batches() == 0);
}
