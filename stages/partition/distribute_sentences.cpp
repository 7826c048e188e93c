#include "stages/partition/distribute_sentences.hpp"

#include <algorithm>
#include <numeric>

namespace knnseq::stages {

namespace {

/// What travels beside a sentence's tokens.
struct Header {
  std::int64_t position;  ///< in the order of length
  std::int64_t number;    ///< in the order of the corpus
  std::int64_t entry_start;
  std::int64_t line;
  std::int64_t source_length;
  std::int64_t target_length;
};

struct BucketCount {
  std::int64_t bucket;
  std::int64_t count;
};

/// This rank's sentences to their positions in the order of length over all ranks; `buckets`
/// becomes the histogram over all ranks.
std::vector<std::int64_t> global_positions(comm::Communicator& comm, const SentencePairs& pairs,
                                           text::LengthBuckets& buckets) {
  for (std::int64_t i = 0; i < pairs.count(); ++i) {
    buckets.add(pairs.target_length(i), pairs.source_length(i));
  }
  std::vector<BucketCount> mine;  // only what is there: the histogram is mostly zeros
  const auto counts = buckets.counts();
  for (std::size_t b = 0; b < counts.size(); ++b) {
    if (counts[b] > 0) mine.push_back({static_cast<std::int64_t>(b), counts[b]});
  }
  const auto all = comm.all_gather(std::span<const BucketCount>(mine));
  std::fill(counts.begin(), counts.end(), 0);
  std::vector<std::int64_t> next(counts.size(), 0);  // sentences of lower ranks, bucket by bucket
  for (int rank = 0; rank < comm.size(); ++rank) {
    for (const auto& [bucket, count] : all.of(rank)) {
      counts[bucket] += count;
      if (rank < comm.rank()) next[bucket] += count;
    }
  }
  std::int64_t before = 0;
  for (std::size_t b = 0; b < counts.size(); ++b) {
    next[b] += before;
    before += counts[b];
  }
  std::vector<std::int64_t> positions(pairs.count());
  for (std::int64_t i = 0; i < pairs.count(); ++i) {
    const auto bucket = buckets.index(pairs.target_length(i), pairs.source_length(i));
    positions[i] = next[bucket]++;
  }
  return positions;
}

std::int64_t batch_at(const std::vector<text::Batch>& batches, std::int64_t position) {
  const auto after = std::upper_bound(
      batches.begin(), batches.end(), position,
      [](std::int64_t at, const text::Batch& batch) { return at < batch.first_sentence; });
  return after - batches.begin() - 1;
}

void append_sentence(store::CorpusShard& shard, const Header& header,
                     std::span<const core::TokenId> tokens) {
  const auto source = tokens.first(header.source_length);
  const auto target = tokens.subspan(source.size());
  shard.source_tokens.insert(shard.source_tokens.end(), source.begin(), source.end());
  shard.target_tokens.insert(shard.target_tokens.end(), target.begin(), target.end());
  shard.source_starts.push_back(std::ssize(shard.source_tokens));
  shard.sentence_starts.push_back(std::ssize(shard.target_tokens));
  shard.sentence_numbers.push_back(header.number);
  shard.entry_starts.push_back(header.entry_start);
  shard.line_numbers.push_back(header.line);
}

}  // namespace

PartitionedCorpus distribute_sentences(comm::Communicator& comm, const SentencePairs& pairs,
                                       const Partitioning& partitioning) {
  text::LengthBuckets buckets(partitioning.max_positions);
  const auto positions = global_positions(comm, pairs, buckets);
  PartitionedCorpus corpus;
  corpus.batches = text::cut_batches(buckets, partitioning.max_tokens);
  corpus.sentences = comm.all_reduce(pairs.count(), comm::Reduction::sum);
  corpus.entries = comm.all_reduce(std::ssize(pairs.target_tokens), comm::Reduction::sum);
  const std::int64_t first_number = comm.exclusive_scan(pairs.count());
  const std::int64_t first_entry = comm.exclusive_scan(std::ssize(pairs.target_tokens));

  // Outgoing sentences, grouped by the rank they go to.
  const auto ranks = static_cast<std::size_t>(comm.size());
  std::vector<std::vector<Header>> headers(ranks);
  std::vector<std::vector<core::TokenId>> tokens(ranks);
  for (std::int64_t i = 0; i < pairs.count(); ++i) {
    const auto at = static_cast<std::size_t>(i);
    const auto shard = batch_at(corpus.batches, positions[at]) % partitioning.shards;
    const auto to = static_cast<std::size_t>(shard) % ranks;
    headers[to].push_back({positions[at], first_number + i, first_entry + pairs.target_starts[at],
                           pairs.lines[at], pairs.source_length(i), pairs.target_length(i)});
    const auto add = [&](const std::vector<core::TokenId>& from,
                         const std::vector<std::int64_t>& starts) {
      tokens[to].insert(tokens[to].end(), from.begin() + starts[at], from.begin() + starts[at + 1]);
    };
    add(pairs.source_tokens, pairs.source_starts);
    add(pairs.target_tokens, pairs.target_starts);
  }
  const auto exchange = [&]<class T>(const std::vector<std::vector<T>>& parts) {
    std::vector<T> flat;
    std::vector<std::int64_t> counts;
    for (const auto& part : parts) {
      flat.insert(flat.end(), part.begin(), part.end());
      counts.push_back(std::ssize(part));
    }
    return comm.all_to_all(std::span<const T>(flat), counts).values;
  };
  const auto arrived = exchange(headers);
  const auto arrived_tokens = exchange(tokens);

  // Incoming sentences into their shards, in the order of length.
  std::vector<std::size_t> token_starts(arrived.size() + 1, 0);
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    token_starts[i + 1] = token_starts[i] + static_cast<std::size_t>(arrived[i].source_length +
                                                                     arrived[i].target_length);
  }
  std::vector<std::size_t> order(arrived.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return arrived[a].position < arrived[b].position;
  });
  for (std::int64_t shard = comm.rank(); shard < partitioning.shards; shard += comm.size()) {
    auto& made = corpus.shards[shard];
    made.source_starts = made.sentence_starts = made.batch_starts = {0};
  }
  std::int64_t last_batch = -1;
  for (const auto i : order) {
    const auto batch = batch_at(corpus.batches, arrived[i].position);
    auto& shard = corpus.shards.at(batch % partitioning.shards);
    append_sentence(
        shard, arrived[i],
        std::span(arrived_tokens).subspan(token_starts[i], token_starts[i + 1] - token_starts[i]));
    if (batch != last_batch) shard.batch_starts.push_back(0);
    shard.batch_starts.back() = shard.sentences();
    last_batch = batch;
  }
  return corpus;
}

}  // namespace knnseq::stages
