#include "stages/shared/trace/datastore_text.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"

namespace knnseq::stages {

namespace {

using Key = std::pair<std::int64_t, std::int64_t>;

Key key_of(const DatastoreSentence& sentence) { return {sentence.datastore, sentence.first_entry}; }

}  // namespace

DatastoreText::DatastoreText(comm::Communicator& comm, const SearchedData& data,
                             const text::Tokenizer& tokenizer)
    : comm_(comm), tokenizer_(tokenizer) {
  for (const auto& datastore : data.datastores) datastores_.push_back(datastore.corpora);
  if (!data.subset) return;
  auto& corpora = datastores_.emplace_back();
  for (const auto& corpus : data.subset->corpora) corpora.push_back(corpus.built);
}

void DatastoreText::read_shards() {
  comm::agree(comm_, [&] {
    std::int64_t index = 0;
    for (std::size_t datastore = 0; datastore < datastores_.size(); ++datastore) {
      for (const auto& built : datastores_[datastore]) {
        for (const auto& [name, of_shard] : built.corpus.of_shards.items()) {
          if (index++ % comm_.size() != comm_.rank()) continue;
          shards_.push_back({static_cast<std::int64_t>(datastore),
                             built.paths,
                             store::CorpusShard::read(built.paths.text, name, of_shard),
                             {}});
          auto& shard = shards_.back();
          store::require_tokens_below(shard.text, tokenizer_.source_vocab_size(),
                                      tokenizer_.vocab_size());
          shard.by_entry = shard.text.sentences_by_entry();
        }
      }
    }
  });
  read_ = true;
}

void DatastoreText::add(std::int64_t datastore, const std::string& corpus, std::int64_t first_entry,
                        store::CorpusShard text) {
  CorpusPaths paths;
  paths.name = corpus;
  paths.first_entry = first_entry;
  auto by_entry = text.sentences_by_entry();
  shards_.push_back({datastore, std::move(paths), std::move(text), std::move(by_entry)});
}

std::vector<DatastoreSentence> DatastoreText::find(std::span<const EntryPlace> wanted) {
  if (!read_) read_shards();
  core::Json found = core::Json::array();
  std::set<Key> seen;
  const auto all = comm_.all_gather(wanted).values;
  for (const auto& place : all) {
    for (const auto& shard : shards_) {
      if (shard.datastore != place.datastore) continue;
      const auto& [datastore, paths, text, by_entry] = shard;
      const auto at = text.find_entry(place.entry - paths.first_entry, by_entry);
      if (at < 0) continue;
      const auto first = text.entry_starts[at] + paths.first_entry;
      if (!seen.emplace(datastore, first).second) continue;
      found.push_back({datastore, first, paths.name, text.line_numbers[at] + 1, text.source(at),
                       text.target(at)});
    }
  }
  std::vector<DatastoreSentence> sentences;
  for (const auto& of_rank : comm::gather_json(comm_, found)) {
    for (const auto& item : of_rank) {
      sentences.push_back({item[0], item[1], item[2].get<std::string>(), item[3],
                           item[4].get<std::vector<core::TokenId>>(),
                           item[5].get<std::vector<core::TokenId>>()});
    }
  }
  std::ranges::sort(sentences, {}, key_of);
  comm::agree(comm_, [&] {
    for (const auto& place : all) sentence_of(sentences, place);
  });
  return sentences;
}

std::size_t sentence_of(std::span<const DatastoreSentence> found, const EntryPlace& place) {
  const auto after = std::ranges::upper_bound(found, Key{place.datastore, place.entry}, {}, key_of);
  if (after != found.begin()) {
    const auto& sentence = *std::prev(after);
    const auto position = place.entry - sentence.first_entry;
    if (sentence.datastore == place.datastore && position < std::ssize(sentence.target)) {
      return static_cast<std::size_t>(after - found.begin() - 1);
    }
  }
  throw core::InputError(
      fmt::format("entry {} of the index is not in the corpus shards", place.entry));
}

}  // namespace knnseq::stages
