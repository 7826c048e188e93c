#include "retrieval/subset/lexical_finder.hpp"

#include <algorithm>

#include "comm/self_communicator.hpp"
#include "comm/shared_memory.hpp"
#include "core/error.hpp"
#include "index/core/merge_top_k.hpp"
#include "index/core/parallel.hpp"
#include "retrieval/exchange/query_exchange.hpp"

namespace knnseq::retrieval {

namespace {

/// The lists of all ranks, one rank's after the other's.
struct GatheredLists {
  PieceLists lists;
  std::vector<std::int64_t> counts;  ///< [ranks] sentences
};

GatheredLists gather(comm::Communicator& comm,
                     const std::vector<std::vector<core::TokenId>>& mine) {
  std::vector<std::int64_t> lengths;
  PieceLists own;
  for (const auto& sentence : mine) {
    lengths.push_back(std::ssize(sentence));
    own.add(sentence);
  }
  const auto all_lengths = comm.all_gather(std::span<const std::int64_t>(lengths));
  GatheredLists gathered;
  gathered.lists.pieces = comm.all_gather(std::span<const core::TokenId>(own.pieces)).values;
  for (const auto length : all_lengths.values) {
    gathered.lists.starts.push_back(gathered.lists.starts.back() + length);
  }
  for (int rank = 0; rank < comm.size(); ++rank) {
    gathered.counts.push_back(std::ssize(all_lengths.of(rank)));
  }
  return gathered;
}

}  // namespace

LexicalFinder::LexicalFinder(comm::Communicator& comm, const PieceLists& mine,
                             std::span<const std::int64_t> ids, const LexicalOptions& options,
                             bool shared)
    : comm_(shared ? comm::self_communicator() : comm),
      options_(options),
      weights_(comm, options.score, mine, options.vocabulary) {
  KNNSEQ_ASSERT(std::ssize(ids) == mine.sentences(), "an id for each sentence");
  hold(shared ? comm : comm::self_communicator(), mine, ids);
}

std::int64_t LexicalFinder::memory_bytes(std::int64_t sentences, std::int64_t postings) {
  return sentences * static_cast<std::int64_t>(sizeof(std::int64_t)) +
         postings * static_cast<std::int64_t>(sizeof(Posting));
}

/// Each rank writes its own sentences and their postings: of a piece, those of lower ranks first.
void LexicalFinder::hold(comm::Communicator& sharers, const PieceLists& mine,
                         std::span<const std::int64_t> ids) {
  const auto vocabulary = static_cast<std::size_t>(options_.vocabulary);
  std::vector<std::int64_t> counts(vocabulary, 0);
  for (std::int64_t i = 0; i < mine.sentences(); ++i) {
    for (const auto& piece : count_pieces(mine.of(i))) ++counts[piece.piece];
  }
  const auto all_counts = sharers.all_gather(std::span<const std::int64_t>(counts));
  std::vector<std::int64_t> next;  // of each piece: where this rank's postings begin
  starts_ = {0};
  for (std::size_t piece = 0; piece < vocabulary; ++piece) {
    std::int64_t end = starts_.back();
    for (int rank = 0; rank < sharers.size(); ++rank) {
      if (rank == sharers.rank()) next.push_back(end);
      end += all_counts.of(rank)[piece];
    }
    starts_.push_back(end);
  }
  const auto first = sharers.exclusive_scan(mine.sentences());
  const auto sentences = sharers.all_reduce(mine.sentences(), comm::Reduction::sum);
  memory_ = comm::make_shared_memory(sharers, memory_bytes(sentences, starts_.back()));
  ids_ = {reinterpret_cast<std::int64_t*>(memory_.get()), static_cast<std::size_t>(sentences)};
  postings_ = {reinterpret_cast<Posting*>(ids_.data() + sentences),
               static_cast<std::size_t>(starts_.back())};
  std::ranges::copy(ids, ids_.begin() + first);
  for (std::int64_t i = 0; i < mine.sentences(); ++i) {
    const auto pieces = count_pieces(mine.of(i));
    const auto weights = weights_.in_sentence(pieces);
    for (std::size_t j = 0; j < pieces.size(); ++j) {
      const auto at = next[pieces[j].piece]++;
      postings_[at] = {core::narrow<std::int32_t>(first + i), static_cast<float>(weights[j])};
    }
  }
  sharers.barrier();
}

index::TopK LexicalFinder::find(const SentenceBlock& block) {
  const auto queries = gather(comm_, block.pieces);
  return index::merge_top_k_cpu(return_results(comm_, search(queries.lists), queries.counts),
                                options_.count);
}

index::TopK LexicalFinder::search(const PieceLists& queries) const {
  const index::TopK result = index::missing_top_k(queries.sentences(), options_.count);
  index::parallel_ranges(queries.sentences(), [&](core::Range range) {
    std::vector<double> scores(ids_.size(), 0);
    std::vector<char> seen(ids_.size(), 0);
    std::vector<std::int32_t> found;
    for (auto query = range.begin; query < range.end; ++query) {
      const auto pieces = count_pieces(queries.of(query));
      const auto weights = weights_.in_query(pieces);
      for (std::size_t i = 0; i < pieces.size(); ++i) {
        const auto piece = static_cast<std::size_t>(pieces[i].piece);
        for (auto at = starts_[piece]; at < starts_[piece + 1]; ++at) {
          const Posting& posting = postings_[at];
          const auto sentence = static_cast<std::size_t>(posting.sentence);
          if (seen[sentence] == 0) found.push_back(posting.sentence);
          seen[sentence] = 1;
          scores[sentence] += weights[i] * static_cast<double>(posting.weight);
        }
      }
      index::NearestNeighbours best = index::make_nearest(options_.count);
      for (const auto sentence : found) {
        const auto at = static_cast<std::size_t>(sentence);
        best.offer({-static_cast<float>(scores[at]), ids_[at]});
        scores[at] = 0;
        seen[at] = 0;
      }
      found.clear();
      result.set_row(query, best.take_sorted());
    }
  });
  return result;
}

std::int64_t LexicalFinder::bytes() const {
  return memory_bytes(std::ssize(ids_), std::ssize(postings_));
}

}  // namespace knnseq::retrieval
