#include "retrieval/subset/subset_search.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "obs/progress_meter.hpp"
#include "retrieval/subset/sentence_exchange.hpp"
#include "retrieval/timed.hpp"

namespace knnseq::retrieval {

namespace {

/// The sentences of each subset.
using Subsets = std::vector<std::span<HeldSentence>>;

/// Of the sentences found for each of a block's, which lie one after another.
Subsets cut_subsets(std::span<HeldSentence> sentences, const index::TopK& similar) {
  Subsets subsets;
  for (std::int64_t i = 0; i < similar.queries(); ++i) {
    const auto ids = similar.row(i).ids;
    const auto count = std::ranges::find(ids, index::missing_id) - ids.begin();
    subsets.push_back(sentences.first(static_cast<std::size_t>(count)));
    sentences = sentences.subspan(static_cast<std::size_t>(count));
  }
  return subsets;
}

std::vector<std::int64_t> sizes_of(const Subsets& subsets) {
  std::vector<std::int64_t> sizes;
  for (const auto subset : subsets) {
    sizes.push_back(0);
    for (const auto& sentence : subset) sizes.back() += std::ssize(sentence.values);
  }
  return sizes;
}

/// Appends the entries of each subset, in the order of its sentences.
template <class Scan>
void fill(Scan& scan, const Subsets& subsets) {
  std::vector<std::uint8_t> codes;
  std::vector<std::int64_t> ids;
  for (std::size_t i = 0; i < subsets.size(); ++i) {
    codes.clear();
    ids.clear();
    for (const auto& sentence : subsets[i]) {
      codes.insert(codes.end(), sentence.codes.begin(), sentence.codes.end());
      std::int64_t entry = sentence.first_entry;
      for (const auto value : sentence.values) {
        ids.push_back(core::pack_entry_id(static_cast<core::TokenId>(value), entry++));
      }
    }
    scan.append(static_cast<std::int64_t>(i), codes, ids);
  }
}

/// Those that were found, without what stands for missing ones.
std::vector<std::int64_t> found_ids(const at::Tensor& ids) {
  std::vector<std::int64_t> found(ids.const_data_ptr<std::int64_t>(),
                                  ids.const_data_ptr<std::int64_t>() + ids.numel());
  std::erase(found, index::missing_id);
  return found;
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
  auto fetched = fetch_sentences(comm_, parts_->held, parts_->holders, found_ids(similar.ids));
  const Subsets subsets = cut_subsets(fetched.sentences, similar);
  times_.blocks += block.sentences > 0 ? 1 : 0;
  times_.sentences += block.sentences;
  if (adc_) {
    for (const auto subset : subsets) {
      std::ranges::sort(subset, {}, &HeldSentence::first_entry);
    }
    fill(device_subsets_.emplace(*adc_, sizes_of(subsets)), subsets);
    device_subsets_->finish();
  } else {
    const index::SubsetCodebook codebook{*centroids_, parts_->codebook.spec.metric};
    fill(subsets_.emplace(codebook, sizes_of(subsets)), subsets);
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
  const at::Tensor firsts = similar.ids.narrow(1, 0, 1).contiguous();
  const auto fetched = fetch_sentences(comm_, parts_->held, parts_->holders, found_ids(firsts));
  std::vector<NearestSentence> nearest(similar.queries());
  auto sentence = fetched.sentences.begin();
  for (std::size_t i = 0; i < nearest.size(); ++i) {
    const auto [distances, ids] = similar.row(static_cast<std::int64_t>(i));
    if (ids.front() == index::missing_id) continue;
    nearest[i].distance = distances.front();
    if (!sentence->values.empty()) nearest[i].first_entry = sentence->first_entry;
    nearest[i].target.assign(sentence->values.begin(), sentence->values.end());
    ++sentence;
  }
  return nearest;
}

std::string SubsetSearch::summary() const {
  return fmt::format(
      "{} queries of {} sentences in subsets of {} entries on average, {} a block at most; finding "
      "sentences {:.2f} s, fetching {:.2f} s, scanning {:.2f} s",
      times_.queries, times_.sentences,
      obs::with_commas(times_.entries / std::max<std::int64_t>(times_.sentences, 1)),
      obs::as_bytes(times_.most_bytes), times_.find_seconds, times_.fetch_seconds,
      times_.scan_seconds);
}

}  // namespace knnseq::retrieval
