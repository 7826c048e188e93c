#include "retrieval/subset/subset_search.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"
#include "retrieval/subset/sentence_exchange.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

namespace {

/// Where the entries of a subset's sentences are in what was fetched, for each subset.
using SubsetPlaces = std::vector<std::vector<std::size_t>>;

/// The most similar sentences first.
SubsetPlaces places_of(const index::TopK& similar, const FetchedSentences& fetched) {
  SubsetPlaces places(similar.queries());
  for (std::int64_t i = 0; i < similar.queries(); ++i) {
    for (const auto id : similar.row(i).ids) {
      if (id == index::missing_id) break;
      places[i].push_back(fetched.place_of(id));
    }
  }
  return places;
}

/// In the order of the entries' numbers, without sentences that have none.
void sort_by_entry(SubsetPlaces& places, const FetchedSentences& fetched) {
  for (auto& of_subset : places) {
    std::erase_if(of_subset, [&](std::size_t place) { return fetched.ids_of(place).empty(); });
    std::ranges::sort(of_subset, {}, [&](std::size_t place) {
      return core::entry_number_of(fetched.ids_of(place).front());
    });
  }
}

std::vector<std::int64_t> sizes_of(const SubsetPlaces& places, const FetchedSentences& fetched) {
  std::vector<std::int64_t> sizes;
  for (const auto& of_subset : places) {
    sizes.push_back(0);
    for (const auto place : of_subset) sizes.back() += std::ssize(fetched.ids_of(place));
  }
  return sizes;
}

template <class Scan>
void fill(Scan& subsets, const SubsetPlaces& places, const FetchedSentences& fetched) {
  for (std::size_t i = 0; i < places.size(); ++i) {
    for (const auto place : places[i]) {
      subsets.append(static_cast<std::int64_t>(i), fetched.codes_of(place), fetched.ids_of(place));
    }
  }
}

}  // namespace

SubsetSearch::SubsetSearch(comm::Communicator& comm, std::shared_ptr<Parts> parts, std::int64_t k,
                           at::Device device, gpu::ComputePath path)
    : comm_(comm), parts_(std::move(parts)), coder_(parts_->codebook, device, path), k_(k) {
  KNNSEQ_ASSERT(!parts_->codebook.spec.has_lists() && k > 0, "codes without lists");
  if (path == gpu::ComputePath::cpu) {
    centroids_.emplace(parts_->codebook);
  } else {
    adc_.emplace(parts_->codebook.pq_centroids, parts_->codebook.spec.metric, device);
  }
}

void SubsetSearch::begin(const SentenceBlock& block) {
  subsets_.reset();  // before the next ones take memory
  device_subsets_.reset();
  index::TopK similar;
  {
    const Timed timed(times_.find_seconds);
    similar = parts_->finder->find(block);
  }
  const Timed timed(times_.fetch_seconds);
  std::vector<std::int64_t> wanted(
      similar.ids.const_data_ptr<std::int64_t>(),
      similar.ids.const_data_ptr<std::int64_t>() + similar.ids.numel());
  std::erase(wanted, index::missing_id);
  const auto fetched = fetch_sentences(comm_, parts_->held, parts_->holders, wanted);
  SubsetPlaces places = places_of(similar, fetched);
  times_.blocks += block.sentences > 0 ? 1 : 0;
  times_.sentences += block.sentences;
  if (adc_) {
    sort_by_entry(places, fetched);
    fill(device_subsets_.emplace(*adc_, sizes_of(places, fetched)), places, fetched);
    device_subsets_->finish();
  } else {
    const index::SubsetCodebook codebook{*centroids_, parts_->codebook.spec.metric};
    fill(subsets_.emplace(codebook, sizes_of(places, fetched)), places, fetched);
  }
  times_.entries += adc_ ? device_subsets_->entries() : subsets_->entries();
  times_.most_bytes =
      std::max(times_.most_bytes, adc_ ? device_subsets_->bytes() : subsets_->bytes());
}

index::TopK SubsetSearch::search(const at::Tensor& queries,
                                 std::span<const std::int64_t> sentences) {
  KNNSEQ_ASSERT(subsets_ || device_subsets_, "begin() comes first");
  const Timed timed(times_.scan_seconds);
  times_.queries += queries.size(0);
  const at::Tensor rotated = coder_.rotate(queries.to(coder_.device()));
  return subsets_ ? subsets_->search(rotated, sentences, k_)
                  : device_subsets_->search(rotated, sentences, k_);
}

std::vector<NearestSentence> SubsetSearch::find_nearest(const SentenceBlock& block) {
  const index::TopK similar = parts_->finder->find(block);
  std::vector<std::int64_t> wanted;
  for (std::int64_t i = 0; i < similar.queries(); ++i) {
    const auto id = similar.row(i).ids.front();
    if (id != index::missing_id) wanted.push_back(id);
  }
  const auto fetched = fetch_sentences(comm_, parts_->held, parts_->holders, wanted);
  std::vector<NearestSentence> nearest(similar.queries());
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto [distances, ids] = similar.row(static_cast<std::int64_t>(i));
    if (ids.front() == index::missing_id) continue;
    nearest[i].distance = distances.front();
    const auto entries = fetched.ids_of(fetched.place_of(ids.front()));
    if (!entries.empty()) nearest[i].first_entry = core::entry_number_of(entries.front());
    for (const auto entry : entries) nearest[i].target.push_back(core::token_of(entry));
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
