#include "retrieval/subset_search.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"
#include "retrieval/sentence_exchange.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

namespace {

/// Each sentence's subset, the most similar sentences first.
index::SubsetScan gather(const index::SubsetCodebook& codebook, const index::TopK& similar,
                         const FetchedSentences& fetched) {
  std::vector<std::size_t> places;
  std::vector<std::int64_t> counts, sizes;
  for (std::int64_t i = 0; i < similar.queries; ++i) {
    std::int64_t size = 0, count = 0;
    for (std::int64_t j = 0; j < similar.k; ++j) {
      const auto id = similar.ids[static_cast<std::size_t>(i * similar.k + j)];
      if (id == index::missing_id) break;
      places.push_back(fetched.place_of(id));
      size += std::ssize(fetched.ids_of(places.back()));
      ++count;
    }
    counts.push_back(count);
    sizes.push_back(size);
  }
  index::SubsetScan subsets(codebook, sizes);
  auto place = places.begin();
  for (std::size_t i = 0; i < counts.size(); ++i) {
    for (std::int64_t j = 0; j < counts[i]; ++j, ++place) {
      subsets.append(static_cast<std::int64_t>(i), fetched.codes_of(*place),
                     fetched.ids_of(*place));
    }
  }
  return subsets;
}

}  // namespace

SubsetSearch::SubsetSearch(comm::Communicator& comm, Parts parts, std::int64_t k)
    : comm_(comm),
      parts_(std::move(parts)),
      coder_(parts_.codebook),
      centroids_(parts_.codebook),
      k_(k) {
  KNNSEQ_ASSERT(!parts_.codebook.spec.has_lists() && k > 0, "codes without lists");
}

void SubsetSearch::begin(const SentenceBlock& block) {
  subsets_.reset();  // before the next ones take memory
  index::TopK similar;
  {
    const Timed timed(times_.find_seconds);
    similar = parts_.finder->find(block);
  }
  const Timed timed(times_.fetch_seconds);
  std::vector<std::int64_t> wanted = similar.ids;
  std::erase(wanted, index::missing_id);
  const auto fetched = fetch_sentences(comm_, parts_.held, parts_.holders, wanted);
  subsets_.emplace(gather({centroids_, parts_.codebook.spec.metric}, similar, fetched));
  times_.blocks += block.sentences > 0 ? 1 : 0;
  times_.sentences += block.sentences;
  times_.entries += subsets_->entries();
  times_.most_bytes = std::max(times_.most_bytes, subsets_->bytes());
}

Neighbours SubsetSearch::search(const at::Tensor& queries,
                                std::span<const std::int64_t> sentences) {
  KNNSEQ_ASSERT(subsets_, "begin() comes first");
  const Timed timed(times_.scan_seconds);
  times_.queries += queries.size(0);
  // The codes are in the host's memory, wherever the model computes.
  const Neighbours found =
      to_neighbours(subsets_->search(coder_.rotate(queries.cpu()), sentences, k_));
  return {found.scores.to(queries.device()), found.ids.to(queries.device())};
}

std::vector<NearestSentence> SubsetSearch::find_nearest(const SentenceBlock& block) {
  const index::TopK similar = parts_.finder->find(block);
  std::vector<std::int64_t> wanted;
  for (std::int64_t i = 0; i < similar.queries; ++i) {
    const auto id = similar.ids[static_cast<std::size_t>(i * similar.k)];
    if (id != index::missing_id) wanted.push_back(id);
  }
  const auto fetched = fetch_sentences(comm_, parts_.held, parts_.holders, wanted);
  std::vector<NearestSentence> nearest(static_cast<std::size_t>(similar.queries));
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto first = i * static_cast<std::size_t>(similar.k);
    if (similar.ids[first] == index::missing_id) continue;
    nearest[i].distance = similar.distances[first];
    for (const auto entry : fetched.ids_of(fetched.place_of(similar.ids[first]))) {
      nearest[i].target.push_back(core::token_of(entry));
    }
  }
  return nearest;
}

std::string SubsetSearch::summary() const {
  return fmt::format(
      "{} queries of {} sentences in subsets of {} entries on average, {} a block at most; finding "
      "sentences {:.1f} s, fetching {:.1f} s, scanning {:.1f} s",
      times_.queries, times_.sentences,
      obs::with_commas(times_.entries / std::max<std::int64_t>(times_.sentences, 1)),
      obs::as_bytes(times_.most_bytes), times_.find_seconds, times_.fetch_seconds,
      times_.scan_seconds);
}

}  // namespace knnseq::retrieval
