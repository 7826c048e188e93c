#include <algorithm>
#include <set>

#include "comm/self_communicator.hpp"
#include "comm/shared_memory.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "retrieval/subset/sentence_exchange.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "retrieval/subset/vector_finder.hpp"
#include "support/mpi_main.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using test::world;

namespace {

constexpr std::int64_t sentences = 120;
constexpr std::int64_t width = 16;
constexpr std::int64_t similar = 9;
constexpr std::int64_t nearest = 12;

/// Sentences with vectors and 0 to 6 entries each, of which some are equal.
struct Corpus {
  std::int64_t shards;
  index::Codebook codebook;
  at::Tensor vectors = test::clustered(sentences, width, 21);
  std::vector<at::Tensor> keys;             ///< of each sentence
  std::vector<std::int64_t> first_entries;  ///< of each, and the number of entries

  Corpus(std::int64_t shard_count, const std::string& metric)
      : shards(shard_count),
        codebook(test::random_codebook(index::parse_index_spec("OPQ8_16,PQ8", width, metric))),
        keys(),
        first_entries{0} {
    vectors.narrow(0, 60, 20).copy_(vectors.narrow(0, 0, 20).clone());  // equally near
    const at::Tensor all = test::clustered(sentences * 6, width, 22);
    for (std::int64_t i = 0; i < sentences; ++i) {
      const std::int64_t count = i % 10 == 7 ? 0 : 1 + i * 5 % 6;
      keys.push_back(i == 33 ? keys[1].narrow(0, 0, 1).repeat({count, 1}).clone()
                             : all.narrow(0, i * 6, count));
      first_entries.push_back(first_entries.back() + count);
    }
  }
  static std::uint32_t value(std::int64_t entry) { return static_cast<std::uint32_t>(entry * 7); }
};

/// What the ranks of `comm` hold; `shared`: once, together.
retrieval::LocalSentenceStore make_store(comm::Communicator& comm, const Corpus& corpus,
                                         bool shared) {
  const retrieval::ShardHolders holders{comm.size(), corpus.shards};
  const index::VectorQuantizer quantizer(corpus.codebook);
  const auto m = corpus.codebook.spec.m;
  std::vector<std::int64_t> mine;
  retrieval::SentenceCounts counts{sentences, corpus.first_entries.back()};
  if (!shared) counts = {};
  for (std::int64_t i = sentences - 1; i >= 0; --i) {
    if (holders.rank_of(i * 7 % corpus.shards, i) != comm.rank()) continue;
    mine.push_back(i);
    if (shared) continue;
    ++counts.sentences;
    counts.entries += corpus.keys[static_cast<std::size_t>(i)].size(0);
  }
  retrieval::LocalSentenceStore held(
      m, counts,
      shared
          ? comm::make_shared_memory(comm, retrieval::LocalSentenceStore::memory_bytes(m, counts))
          : nullptr);
  retrieval::SentenceCounts place;
  for (const auto i : mine) {
    const auto at = static_cast<std::size_t>(i);
    const auto first = corpus.first_entries[at];
    const at::Tensor codes = quantizer.encode(quantizer.rotate(corpus.keys[at]), {});
    std::vector<std::uint32_t> values;
    for (auto entry = first; entry < corpus.first_entries[at + 1]; ++entry) {
      values.push_back(Corpus::value(entry));
    }
    // Backwards, so that they are to be sorted.
    if (shared) place = {sentences - 1 - i, first};
    held.put(place, {i, first, values, index::span_of<std::uint8_t>(codes)});
    ++place.sentences;
    place.entries += std::ssize(values);
  }
  comm.barrier();
  if (!shared || comm.is_root()) held.sort();
  comm.barrier();
  return held;
}

/// The subset search over the ranks of `comm`. shared: all run on one node and hold the entries
/// there together, and each finds sentences by itself.
retrieval::SubsetSearch make_search(comm::Communicator& comm, const Corpus& corpus,
                                    gpu::ComputePath path = gpu::ComputePath::cpu,
                                    bool shared = false) {
  comm::Communicator& together = shared ? comm::self_communicator() : comm;
  const retrieval::ShardHolders holders{together.size(), corpus.shards};
  std::vector<std::int64_t> rows;
  at::Tensor ids = at::empty({0}, at::kLong);
  for (std::int64_t i = sentences - 1; i >= 0; --i) {
    const std::int64_t shard = i * 7 % corpus.shards;
    if (holders.rank_of(shard, i) != together.rank()) continue;
    rows.push_back(i);
    ids = at::cat({ids, at::full({1}, retrieval::pack_sentence_id(shard, i), at::kLong)});
  }
  index::Codebook flat;
  flat.spec = index::parse_index_spec("Flat", width);
  const at::Tensor mine =
      at::index_select(corpus.vectors, 0, at::tensor(rows, at::TensorOptions(at::kLong)));
  auto local =
      index::make_local_index(flat, {{}, index::VectorQuantizer(flat).encode(mine, {}), ids});
  auto finder = std::make_unique<retrieval::VectorFinder>(
      retrieval::DistributedSearch(together, flat, std::move(local), {.k = similar}),
      [](const retrieval::SentenceBlock& block) { return block.means; });
  return {together,
          std::make_shared<retrieval::SubsetSearch::Parts>(retrieval::SubsetSearch::Parts{
              corpus.codebook, make_store(comm, corpus, shared), holders, std::move(finder)}),
          nearest, at::kCPU, path};
}

/// A block of sentences for this rank, some of them the corpus's own; none for every third rank.
retrieval::SentenceBlock my_block(const Corpus& corpus, std::int64_t round) {
  retrieval::SentenceBlock block;
  if ((world().rank() + round) % 3 == 2) return block;
  block.sentences = 4 + world().rank();
  block.means = at::cat(
      {corpus.vectors.narrow(0, 5 + round, 3),
       test::clustered(80, width, 31).narrow(0, 10 * world().rank() + round, block.sentences - 3)});
  return block;
}

/// All definitions written out, in double.
struct PlainNeighbour {
  double distance;
  std::int64_t entry;
  bool operator<(const PlainNeighbour& other) const {
    return distance != other.distance ? distance < other.distance : entry < other.entry;
  }
};

std::vector<PlainNeighbour> plain_search(const Corpus& corpus, const at::Tensor& vector,
                                         const at::Tensor& query) {
  const auto far = (corpus.vectors - vector).to(at::kDouble).pow(2).sum(1);
  std::vector<PlainNeighbour> order;
  for (std::int64_t i = 0; i < sentences; ++i) order.push_back({far[i].item<double>(), i});
  std::sort(order.begin(), order.end());
  const index::VectorQuantizer quantizer(corpus.codebook);
  const auto rotated = quantizer.rotate(query.unsqueeze(0)).squeeze(0).to(at::kDouble);
  std::vector<PlainNeighbour> found;
  for (std::size_t j = 0; j < similar; ++j) {
    const auto sentence = static_cast<std::size_t>(order[j].entry);
    if (corpus.keys[sentence].size(0) == 0) continue;
    const at::Tensor decoded =
        index::pq_decode(quantizer.encode(quantizer.rotate(corpus.keys[sentence]), {}),
                         corpus.codebook.pq_centroids)
            .to(at::kDouble);
    for (std::int64_t row = 0; row < decoded.size(0); ++row) {
      const double distance = index::is_inner_product(corpus.codebook.spec.metric)
                                  ? -at::dot(decoded[row], rotated).item<double>()
                                  : (decoded[row] - rotated).pow(2).sum().item<double>();
      found.push_back({distance, corpus.first_entries[sentence] + row});
    }
  }
  std::sort(found.begin(), found.end());
  found.resize(std::min(found.size(), static_cast<std::size_t>(nearest)));
  return found;
}

}  // namespace

TEST_CASE("subset search finds what one process finds by the definition") {
  const std::int64_t shards = GENERATE(1, 3, 7);
  const std::string metric = GENERATE("l2", "ip", "cos");
  const Corpus corpus(shards, metric);
  auto search = make_search(world(), corpus);
  const auto self = comm::make_self_communicator();
  auto alone = make_search(*self, corpus);
  auto by_tensors = make_search(world(), corpus, gpu::ComputePath::torch);
  auto of_node = make_search(world(), corpus, gpu::ComputePath::cpu, /*shared=*/true);
  REQUIRE_ALL(search.begins_together() == (world().size() > 1));
  REQUIRE_ALL(!of_node.begins_together());
  for (std::int64_t round = 0; round < 3; ++round) {
    const auto block = my_block(corpus, round);
    search.begin(block);
    alone.begin(block);
    by_tensors.begin(block);
    // Two queries a sentence, as beams have them.
    const at::Tensor queries =
        test::clustered(64, width, 40 + static_cast<std::uint64_t>(world().rank() + 4 * round))
            .narrow(0, 0, 2 * block.sentences)
            .contiguous();
    std::vector<std::int64_t> of;
    for (std::int64_t i = 0; i < 2 * block.sentences; ++i) of.push_back(i / 2);
    const auto found = search.search(queries, of);
    const auto same = alone.search(queries, of);
    REQUIRE_ALL(at::equal(found.ids, same.ids) && at::equal(found.distances, same.distances));
    of_node.begin(block);
    const auto shared = of_node.search(queries, of);
    REQUIRE_ALL(at::equal(found.ids, shared.ids) && at::equal(found.distances, shared.distances));
    const auto recalled = search.find_nearest(block);
    const auto recalled_alone = of_node.find_nearest(block);
    REQUIRE_ALL(recalled.size() == static_cast<std::size_t>(block.sentences));
    REQUIRE_ALL(std::ranges::equal(recalled, recalled_alone, [](const auto& a, const auto& b) {
      return a.distance == b.distance && a.target == b.target && a.first_entry == b.first_entry;
    }));
    const auto on_device = by_tensors.search(queries, of);
    REQUIRE_ALL(at::equal(found.ids, on_device.ids) &&
                at::equal(found.distances, on_device.distances));

    bool right = true;
    for (std::int64_t i = 0; i < queries.size(0); ++i) {
      const auto expected = plain_search(corpus, block.means[of[i]], queries[i]);
      for (std::int64_t j = 0; j < nearest; ++j) {
        const auto id = found.ids[i][j].item<std::int64_t>();
        if (j >= std::ssize(expected)) {
          right = right && id == index::missing_id;
          continue;
        }
        const auto& neighbour = expected[j];
        right = right && core::entry_number_of(id) == neighbour.entry &&
                core::token_of(id) == static_cast<core::TokenId>(Corpus::value(neighbour.entry)) &&
                std::abs(found.distances[i][j].item<double>() - neighbour.distance) <
                    1e-5 * (1 + std::abs(neighbour.distance));
      }
    }
    REQUIRE_ALL(right);
  }
  REQUIRE_ALL(search.times().blocks == 2);
  REQUIRE_ALL(search.times().most_bytes > 0);
  REQUIRE_ALL(by_tensors.times().entries == search.times().entries);
  REQUIRE_ALL(by_tensors.times().most_bytes > 0);
  REQUIRE_ALL(by_tensors.times().most_bytes < search.times().most_bytes);
}

TEST_CASE("a store refuses what there is no room for, and sentences that it does not hold") {
  retrieval::LocalSentenceStore held(2, {2, 3});
  const std::vector<std::uint32_t> values = {7, 8};
  const std::vector<std::uint8_t> codes = {1, 2, 3, 4};
  held.put({1, 1}, {5, 40, values, codes});
  held.put({0, 0}, {9, 50, {}, {}});
  CHECK_THROWS_AS(held.put({2, 0}, {6, 0, {}, {}}), std::logic_error);
  CHECK_THROWS_AS(held.put({0, 2}, {6, 0, values, codes}), std::logic_error);
  CHECK_THROWS_AS(held.put({0, 0}, {6, 0, values, {}}), std::logic_error);
  held.sort();
  CHECK(held.find(5).first_entry == 40);
  CHECK(held.find(5).values[1] == 8);
  CHECK(held.find(5).codes[3] == 4);
  CHECK(held.find(9).values.empty());
  CHECK_THROWS_AS(held.find(6), std::logic_error);
  CHECK(held.bytes() == 2 * 32 + 3 * 6);
}

namespace {

/// So many sentences that they come in several messages, some without entries, and with numbers
/// missing in the second half.
struct ManySentences {
  static constexpr std::int64_t count = 20'000;
  static constexpr std::int64_t m = 3;
  static constexpr std::int64_t shards = 3;
  static std::int64_t number(std::int64_t i) { return i < count / 2 ? i : 2 * i; }
  static std::int64_t id(std::int64_t i) {
    return retrieval::pack_sentence_id(i % shards, number(i));
  }

  std::vector<std::uint32_t> values;
  std::vector<std::uint8_t> codes;
  explicit ManySentences(std::int64_t i) : values(i % 4), codes(values.size() * m) {
    for (std::size_t e = 0; e < values.size(); ++e) {
      values[e] = static_cast<std::uint32_t>(5 * i) + static_cast<std::uint32_t>(e);
    }
    for (std::size_t b = 0; b < codes.size(); ++b) {
      codes[b] = static_cast<std::uint8_t>(static_cast<std::size_t>(7 * i) + 3 * b);
    }
  }
};

/// What a rank of `comm` holds of them.
retrieval::LocalSentenceStore hold_many(comm::Communicator& comm,
                                        const retrieval::ShardHolders& holders) {
  std::vector<std::int64_t> mine;
  retrieval::SentenceCounts counts;
  for (std::int64_t i = 0; i < ManySentences::count; ++i) {
    const auto shard = i % ManySentences::shards;
    if (holders.rank_of(shard, ManySentences::number(i)) != comm.rank()) continue;
    mine.push_back(i);
    counts.entries += i % 4;
  }
  counts.sentences = std::ssize(mine);
  retrieval::LocalSentenceStore held(ManySentences::m, counts);
  retrieval::SentenceCounts place;
  for (const auto i : mine) {
    const ManySentences sentence(i);
    held.put(place, {ManySentences::number(i), 4 * i, sentence.values, sentence.codes});
    ++place.sentences;
    place.entries += i % 4;
  }
  held.sort();
  return held;
}

}  // namespace

TEST_CASE("sentences come from whoever holds them, as often and in the order that they are asked") {
  const auto self = comm::make_self_communicator();
  for (comm::Communicator* comm : {&world(), self.get()}) {
    const retrieval::ShardHolders holders{comm->size(), ManySentences::shards};
    const auto held = hold_many(*comm, holders);
    std::vector<std::int64_t> asked, wanted;
    for (std::int64_t j = 0; j < ManySentences::count + 500; ++j) {
      if (comm->rank() == 2) break;  // it wants nothing
      asked.push_back((j * 7919 + comm->rank()) % ManySentences::count);
      wanted.push_back(ManySentences::id(asked.back()));
    }
    const auto fetched = retrieval::fetch_sentences(*comm, held, holders, wanted);
    bool right = fetched.sentences.size() == asked.size();
    for (std::size_t j = 0; right && j < asked.size(); ++j) {
      const ManySentences expected(asked[j]);
      const auto& found = fetched.sentences[j];
      right = found.number == ManySentences::number(asked[j]) &&
              found.first_entry == 4 * asked[j] &&
              std::ranges::equal(found.values, expected.values) &&
              std::ranges::equal(found.codes, expected.codes);
    }
    REQUIRE_ALL(right);
  }
}

TEST_CASE("every sentence has one holder, the one that its shard's team takes it to") {
  for (const std::int64_t ranks : {1, 2, 3, 4, 7}) {
    for (const std::int64_t shards : {1, 2, 3, 5}) {
      const retrieval::ShardHolders holders{ranks, shards};
      for (std::int64_t shard = 0; shard < shards; ++shard) {
        std::set<std::int64_t> of_shard;
        for (std::int64_t number = 0; number < 20; ++number) {
          of_shard.insert(holders.rank_of(shard, number));
        }
        std::set<std::int64_t> team;
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
          if (ranks <= shards ? rank == shard % ranks : rank % shards == shard) team.insert(rank);
        }
        CHECK(of_shard == team);
      }
    }
  }
}
