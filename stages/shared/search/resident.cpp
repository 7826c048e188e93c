#include "stages/shared/search/resident.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/search/index_copies.hpp"

namespace knnseq::stages {

model::TranslationModel& Resident::model(const runtime::StageContext& context,
                                         const Options& options, const DecodeOptions& decoding,
                                         const text::Tokenizer& tokenizer) {
  // With datastores of their own an ensemble's queries are those of all models.
  const std::string key =
      decoding.dtype + (decoding.datastores.empty() ? "" : ", queries of all models");
  if (!model_ || model_key_ != key) {
    model_.reset();  // before the next one takes memory
    model_ = open_search_model(context, options, decoding, tokenizer);
    model_key_ = key;
  }
  return *model_;
}

std::vector<OpenIndex> Resident::indexes(runtime::StageContext& context,
                                         const DecodeOptions& decoding,
                                         const std::vector<BuiltDatastore>& datastores) {
  std::vector<std::string> keys;
  std::map<std::string, OpenIndex> kept;
  for (const auto& datastore : datastores) {
    std::string identities;
    for (const auto* corpus : datastore.searched()) identities += corpus->identity() + ", ";
    keys.push_back(fmt::format("{}{}, {}", identities, core::name_of(decoding.search.backend),
                               core::name_of(decoding.copies)));
    if (auto open = indexes_.extract(keys.back())) kept.insert(std::move(open));
  }
  indexes_ = std::move(kept);
  const auto there = [&](const std::string& key) { return indexes_.contains(key); };
  if (!std::ranges::all_of(keys, there)) {
    const IndexCopies copies = choose_copies(context, decoding, datastores);
    std::erase_if(indexes_, [&](const auto& open) { return open.second.copies != copies; });
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (there(keys[i])) continue;
      indexes_[keys[i]] = open_index(context, datastores[i], decoding.search, copies);
    }
  }
  std::vector<OpenIndex> all;
  for (const auto& key : keys) all.push_back(indexes_[key]);
  return all;
}

std::shared_ptr<retrieval::SubsetSearch::Parts> Resident::subset_parts(
    runtime::StageContext& context, const Options& options, const BuiltSubset& built,
    IndexCopies wanted) {
  std::string identities;
  for (const auto& corpus : built.corpora) {
    identities += corpus.codes.identity + ", " + corpus.sentence_index.identity + ", ";
  }
  const std::string key =
      fmt::format("{}{}, {}, {}, {}", identities, core::name_of(options.subset.encoder),
                  options.subset.sentences, options.subset.nprobe, core::name_of(wanted));
  if (!subset_ || subset_key_ != key) {
    subset_.reset();  // before the next one takes memory
    subset_ = open_subset(context, options, built, wanted);
    subset_key_ = key;
  }
  return subset_;
}

}  // namespace knnseq::stages
