#include "stages/inspect/datastore_sentences.hpp"

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

/// The target as text, its token at `position` in brackets.
std::string marked(const text::Tokenizer& tokenizer, const std::vector<core::TokenId>& target,
                   std::int64_t position) {
  const auto at = static_cast<std::size_t>(position);
  const auto text_of = [&](std::size_t count) {
    return tokenizer.decode_target(std::span(target).first(count));
  };
  const std::string before = text_of(at);
  const std::string through = text_of(at + 1);
  const std::string all = text_of(target.size());
  if (at + 1 == target.size()) return all + " [end of sentence]";
  if (!through.starts_with(before) || !all.starts_with(through))
    return all;  // bytes of a character
  std::string token = through.substr(before.size());
  const auto space = token.starts_with(' ') ? 1u : 0u;
  return before + (space != 0 ? " [" : "[") + token.substr(space) + "]" +
         all.substr(through.size());
}

}  // namespace

std::map<std::int64_t, DatastoreSentence> find_sentences(comm::Communicator& comm,
                                                         const BuiltDatastore& datastore,
                                                         const std::vector<std::int64_t>& entries,
                                                         const text::Tokenizer& tokenizer) {
  core::Json found = core::Json::array();
  const auto look_up = [&](const CorpusPaths& paths, const store::CorpusShard& shard) {
    store::require_tokens_below(shard, tokenizer.source_vocab_size(), tokenizer.vocab_size());
    for (const auto entry : entries) {
      const auto number = entry - paths.first_entry;
      const auto sentence = shard.find_entry(number);
      if (sentence < 0) continue;
      const auto at = static_cast<std::size_t>(sentence);
      found.push_back({entry, paths.name, tokenizer.decode_source(shard.source(sentence)),
                       marked(tokenizer, shard.target(sentence), number - shard.entry_starts[at]),
                       shard.line_numbers[at] + 1});
    }
  };
  comm::agree(comm, [&] {
    std::int64_t index = 0;
    for (const auto& built : datastore.corpora) {
      for (const auto& [name, of_shard] : built.corpus.of_shards.items()) {
        if (index++ % comm.size() != comm.rank()) continue;
        look_up(built.paths, store::CorpusShard::read(built.paths.text, name, of_shard));
      }
    }
  });
  std::map<std::int64_t, DatastoreSentence> sentences;
  for (const auto& of_rank : comm::gather_json(comm, found)) {
    for (const auto& item : of_rank) {
      sentences[item[0]] = {item[1].get<std::string>(), item[2].get<std::string>(),
                            item[3].get<std::string>(), item[4].get<std::int64_t>()};
    }
  }
  return sentences;
}

}  // namespace knnseq::stages
