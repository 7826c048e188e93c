#include <algorithm>
#include <cmath>

#include "comm/self_communicator.hpp"
#include "core/files.hpp"
#include "retrieval/subset/lexical_finder.hpp"
#include "support/host_top_k.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;
using test::world;
using Tokens = std::vector<core::TokenId>;

namespace {

/// What rank_bm25 and scikit-learn say: see tests/support/make_lexical_reference.py.
struct Reference {
  core::Json json = core::read_json(KNNSEQ_SOURCE_DIR "/tests/data/lexical.json");
  std::vector<Tokens> sentences = json.at("sentences");
  std::vector<Tokens> queries = json.at("queries");
};

/// Sentence i is in shard i mod 3; rank r holds those with i ≡ r (mod ranks), the last rank none
/// if there are several.
retrieval::LexicalFinder make_finder(const Reference& reference, retrieval::LexicalScore score,
                                     std::int64_t count, bool shared = false) {
  const int holders = std::max(1, world().size() - 1);
  retrieval::PieceLists mine;
  std::vector<std::int64_t> ids;
  for (std::int64_t i = world().rank(); i < std::ssize(reference.sentences); ++i) {
    if (world().rank() == holders || i % holders != world().rank()) continue;
    mine.add(reference.sentences[i]);
    ids.push_back(retrieval::pack_sentence_id(i % 3, i));
  }
  return {world(), mine, ids, {score, reference.json.at("vocabulary"), count}, shared};
}

struct Scored {
  double score;
  std::int64_t number;
};

/// The sentences that share a word with the query, best first.
std::vector<Scored> expected(const Reference& reference, const char* method, std::size_t query) {
  std::vector<Scored> found;
  const Tokens& words = reference.queries[query];
  for (std::size_t i = 0; i < reference.sentences.size(); ++i) {
    const Tokens& sentence = reference.sentences[i];
    const bool shared = std::any_of(words.begin(), words.end(), [&](auto word) {
      return std::find(sentence.begin(), sentence.end(), word) != sentence.end();
    });
    if (shared) {
      found.push_back({reference.json.at(method)[query][i], static_cast<std::int64_t>(i)});
    }
  }
  std::stable_sort(found.begin(), found.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score + 1e-7; });
  return found;
}

}  // namespace

TEST_CASE("BM25 and TF-IDF are rank_bm25's and scikit-learn's, for any number of ranks") {
  const Reference reference;
  const auto [score, method] = GENERATE(std::pair(retrieval::LexicalScore::bm25, "bm25"),
                                        std::pair(retrieval::LexicalScore::tfidf, "tfidf"));
  const std::int64_t count = GENERATE(5, 100);
  auto finder = make_finder(reference, score, count);
  // Rank r asks the queries ≡ r; with four ranks the last one nothing.
  retrieval::SentenceBlock block;
  std::vector<std::size_t> asked;
  for (std::size_t i = 0; i < reference.queries.size(); ++i) {
    if (static_cast<int>(i % 3) != world().rank() && world().size() > 1) continue;
    asked.push_back(i);
    block.pieces.push_back(reference.queries[i]);
  }
  block.sentences = std::ssize(asked);
  const test::HostTopK found = finder.find(block);
  REQUIRE_ALL(found.queries == block.sentences && found.k == count);
  std::size_t compared = 0;
  bool same = true;
  for (std::size_t i = 0; i < asked.size(); ++i) {
    const auto wanted = expected(reference, method, asked[i]);
    for (std::size_t j = 0; j < static_cast<std::size_t>(count); ++j) {
      const auto at = i * static_cast<std::size_t>(count) + j;
      if (j >= wanted.size()) {
        same = same && found.ids[at] == index::missing_id;
        continue;
      }
      const auto number = retrieval::number_of(found.ids[at]);
      same = same && number == wanted[j].number &&
             retrieval::shard_of(found.ids[at]) == number % 3 &&
             std::abs(-double{found.distances[at]} - wanted[j].score) < 1e-5;
      ++compared;
    }
  }
  REQUIRE_ALL(same);
  REQUIRE_ALL(world().all_reduce(static_cast<std::int64_t>(compared), comm::Reduction::sum) > 40);
}

TEST_CASE("scores are the same bits for any number of ranks") {
  const Reference reference;
  for (const auto score : {retrieval::LexicalScore::bm25, retrieval::LexicalScore::tfidf}) {
    auto finder = make_finder(reference, score, 20);
    retrieval::SentenceBlock block;
    block.pieces = reference.queries;
    block.sentences = std::ssize(reference.queries);
    const test::HostTopK together = finder.find(block);

    const auto self = comm::make_self_communicator();
    retrieval::PieceLists all;
    std::vector<std::int64_t> ids;
    for (const auto& sentence : reference.sentences) {
      ids.push_back(retrieval::pack_sentence_id(std::ssize(ids) % 3, std::ssize(ids)));
      all.add(sentence);
    }
    retrieval::LexicalFinder alone(*self, all, ids, {score, reference.json.at("vocabulary"), 20});
    const test::HostTopK expected = alone.find(block);
    REQUIRE_ALL(together.ids == expected.ids);
    REQUIRE_ALL(together.distances == expected.distances);

    // Of a node the ranks hold all, once, and each searches by itself.
    auto of_node = make_finder(reference, score, 20, /*shared=*/true);
    REQUIRE_ALL(of_node.bytes() == alone.bytes());
    if (world().rank() == 0) {
      const test::HostTopK own = of_node.find(block);
      CHECK(own.ids == expected.ids);
      CHECK(own.distances == expected.distances);
    }
  }
}
