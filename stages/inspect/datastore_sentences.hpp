// From entry numbers back to the sentences they come from.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "comm/communicator.hpp"
#include "stages/shared/shards/built_datastore.hpp"
#include "text/tokenizers/tokenizer.hpp"

namespace knnseq::stages {

/// A datastore sentence, with one of its target tokens marked.
struct DatastoreSentence {
  std::string corpus;  ///< name of the item of `append:`; empty: the first corpus
  std::string source;
  std::string target;     ///< the entry's token in [brackets]
  std::int64_t line = 0;  ///< of the corpus, from 1
};

/// Looks the entries up in the shards of all corpora, each shard read by one rank; every rank gets
/// all that were found. Collective.
std::map<std::int64_t, DatastoreSentence> find_sentences(comm::Communicator& comm,
                                                         const BuiltDatastore& datastore,
                                                         const std::vector<std::int64_t>& entries,
                                                         const text::Tokenizer& tokenizer);

}  // namespace knnseq::stages
