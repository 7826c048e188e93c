// Translations of the demo model's test sentences with subsets of a small datastore, on any device.
#pragma once

#include "model/transformer/source_means.hpp"
#include "retrieval/subset/subset_search.hpp"
#include "retrieval/subset/vector_finder.hpp"
#include "support/knn_decoding.hpp"

namespace knnseq::test {

class SubsetDecoding {
 public:
  SubsetDecoding()
      : codebook_(train_alone(demo_.keys,
                              index::parse_index_spec("OPQ16_64,PQ16", demo_.keys.size(1)),
                              quick_options())),
        codes_(coded_entries(codebook_, demo_.keys).codes),
        means_(model::source_means(DemoEntries::load({.dtype = "fp32"})->encode(demo_.sources))) {}

  /// The best translations.
  std::vector<search::Hypothesis> translate(const Decoding& how) const {
    const auto self = comm::make_self_communicator();
    auto mixer = make_mixer(
        how, std::make_unique<retrieval::SubsetSearch>(
                 *self,
                 std::make_shared<retrieval::SubsetSearch::Parts>(
                     retrieval::SubsetSearch::Parts{codebook_, held(), {1, 1}, make_finder(*self)}),
                 /*k=*/8, how.model.device, how.path));
    const auto model = DemoEntries::load(how.model);
    const auto encoded = model->encode(demo_.questions);
    retrieval::SentenceBlock block;
    block.sentences = std::ssize(demo_.questions);
    block.means = model::source_means(encoded);
    mixer.begin(block);
    return best_of(
        search::beam_search(*model, demo_.questions, encoded, {.path = how.path}, step_of(mixer)));
  }

 private:
  static constexpr std::int64_t similar = 12;  // sentences

  retrieval::LocalSentenceStore held() const {
    retrieval::LocalSentenceStore made(codebook_.spec.m,
                                       {std::ssize(demo_.targets), codes_.size(0)});
    const auto codes = index::span_of<std::uint8_t>(codes_);
    const auto m = static_cast<std::size_t>(codebook_.spec.m);
    std::int64_t entry = 0;
    for (std::size_t i = 0; i < demo_.targets.size(); ++i) {
      const auto& target = demo_.targets[i];
      const std::vector<std::uint32_t> values(target.begin(), target.end());
      made.put({static_cast<std::int64_t>(i), entry},
               {static_cast<std::int64_t>(i), entry, values,
                codes.subspan(static_cast<std::size_t>(entry) * m, target.size() * m)});
      entry += std::ssize(target);
    }
    made.sort();
    return made;
  }

  std::unique_ptr<retrieval::SentenceFinder> make_finder(comm::Communicator& comm) const {
    index::Codebook flat;
    flat.spec = index::parse_index_spec("Flat", means_.size(1));
    const at::Tensor ids = at::arange(means_.size(0), at::kLong);  // all of shard 0
    auto local =
        index::make_local_index(flat, {{}, index::VectorQuantizer(flat).encode(means_, {}), ids});
    return std::make_unique<retrieval::VectorFinder>(
        retrieval::DistributedSearch(comm, flat, std::move(local), {.k = similar}),
        [](const retrieval::SentenceBlock& block) { return block.means; });
  }

  DemoEntries demo_;
  index::Codebook codebook_;
  at::Tensor codes_;  ///< uint8 [entries, m]
  at::Tensor means_;  ///< fp32 [sentences, d]
};

}  // namespace knnseq::test
