// Translations of all ranks come to rank 0 as they are, however long.
#include <chrono>
#include <set>
#include <thread>

#include "core/random.hpp"
#include "stages/shared/translation/block_post.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using namespace knnseq::stages;

namespace {

constexpr int blocks_of_each = 5;

/// A block that rank and number name: of none, one or many sentences, short or very long.
TranslatedBlock make_block(int rank, int number) {
  core::Random random(static_cast<std::uint64_t>(rank * blocks_of_each + number));
  TranslatedBlock block;
  for (int i = 0; i < number * 10; ++i) {
    block.sentences.push_back(rank * 1000 + number * 100 + i);
    auto& best = block.best.emplace_back();
    for (std::uint64_t n = random.below(4); n > 0; --n) {
      auto& hypothesis = best.emplace_back();
      const auto length = random.below(number == 4 ? 900 : 9);
      for (std::uint64_t at = 0; at < length; ++at) {
        hypothesis.tokens.push_back(static_cast<core::TokenId>(random.below(250'000)));
        hypothesis.token_log_probs.push_back(-static_cast<float>(random.below(1000)) / 7);
      }
      hypothesis.score = -static_cast<double>(random.below(1000)) / 3;
    }
  }
  return block;
}

bool same(const TranslatedBlock& a, const TranslatedBlock& b) {
  if (a.sentences != b.sentences || a.best.size() != b.best.size()) return false;
  for (std::size_t i = 0; i < a.best.size(); ++i) {
    if (a.best[i].size() != b.best[i].size()) return false;
    for (std::size_t j = 0; j < a.best[i].size(); ++j) {
      const auto& [tokens, score, log_probs] = a.best[i][j];
      if (tokens != b.best[i][j].tokens || score != b.best[i][j].score) return false;
      if (log_probs != b.best[i][j].token_log_probs) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("blocks that ranks post come to rank 0 whole, each rank's in order") {
  auto& world = test::world();
  if (!world.is_root()) {
    for (int number = 0; number < blocks_of_each; ++number) {
      post_block(world, make_block(world.rank(), number));
    }
  } else {
    BlockCollector collector(world);
    std::vector<std::vector<TranslatedBlock>> arrived(static_cast<std::size_t>(world.size()));
    int left = (world.size() - 1) * blocks_of_each;
    int empty = 0;
    while (left > 0) {
      for (auto& block : collector.collect()) {
        --left;
        if (block.sentences.empty()) {
          ++empty;
          continue;
        }
        arrived[static_cast<std::size_t>(block.sentences.front() / 1000)].push_back(block);
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    CHECK(empty == world.size() - 1);
    for (int rank = 1; rank < world.size(); ++rank) {
      const auto& blocks = arrived[static_cast<std::size_t>(rank)];
      REQUIRE(std::ssize(blocks) == blocks_of_each - 1);
      for (int number = 1; number < blocks_of_each; ++number) {
        CHECK(same(blocks[static_cast<std::size_t>(number - 1)], make_block(rank, number)));
      }
    }
    CHECK(collector.collect().empty());
  }
  world.barrier();
  CHECK(world.size() >= 1);
}
