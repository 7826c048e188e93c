// From entry numbers back to the sentences they come from.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "store/corpus_shard.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// An entry of one of a decoding's datastores; datastores count from 0.
struct EntryPlace {
  std::int64_t datastore = 0;
  std::int64_t entry = 0;
};

/// A datastore sentence. Its target tokens, the end included, are its entries, one after another.
struct DatastoreSentence {
  std::int64_t datastore = 0;
  std::int64_t first_entry = 0;
  std::string corpus;     ///< name of the item of `append:`; empty: the first corpus
  std::int64_t line = 0;  ///< of the corpus, from 1
  std::vector<core::TokenId> source, target;
};

/// The corpora behind the entries that a decoding finds. Each rank reads some of their shards when
/// it is first asked, and keeps them: about 12 bytes an entry over all ranks.
class DatastoreText {
 public:
  /// `comm` and `tokenizer` must outlive this object.
  DatastoreText(comm::Communicator& comm, const SearchedData& data,
                const text::Tokenizer& tokenizer);

  /// More sentences of a datastore, whose entries begin at `first_entry`. To be called on one rank,
  /// which then answers for them.
  void add(std::int64_t datastore, const std::string& corpus, std::int64_t first_entry,
           store::CorpusShard text);

  /// The sentences of all entries that any rank wants, by datastore and first entry, each once, on
  /// every rank. Throws core::InputError (on all ranks) for an entry that no corpus holds, or if a
  /// shard is missing or damaged. Collective.
  std::vector<DatastoreSentence> find(std::span<const EntryPlace> wanted);

 private:
  struct Shard {
    std::int64_t datastore;
    CorpusPaths paths;
    store::CorpusShard text;
    std::vector<std::int64_t> by_entry;  ///< CorpusShard::sentences_by_entry()
  };
  void read_shards();

  comm::Communicator& comm_;
  std::vector<std::vector<BuiltCorpus>> datastores_;  ///< the corpora of each
  const text::Tokenizer& tokenizer_;
  bool read_ = false;
  std::vector<Shard> shards_;  ///< this rank's
};

/// The sentence among found ones (as DatastoreText::find() gives them) that holds an entry which
/// was wanted: its place among them.
std::size_t sentence_of(std::span<const DatastoreSentence> found, const EntryPlace& place);

}  // namespace knnseq::stages
