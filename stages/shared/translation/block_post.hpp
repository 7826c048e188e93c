// Translations on their way to rank 0.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "comm/communicator.hpp"
#include "search/hypothesis.hpp"

namespace knnseq::stages {

/// The translations of some sentences, the best of each first.
struct TranslatedBlock {
  std::vector<std::int64_t> sentences;
  std::vector<std::vector<search::Hypothesis>> best;  ///< [sentences]
};

/// Posts a block to rank 0 in small messages, which do not wait for it. Not collective.
void post_block(comm::Communicator& comm, const TranslatedBlock& block);

/// Puts together what other ranks post to rank 0.
class BlockCollector {
 public:
  explicit BlockCollector(comm::Communicator& comm) : comm_(comm) {}
  /// Blocks that have arrived whole since the last call. Waits for nothing. Not collective.
  std::vector<TranslatedBlock> collect();

 private:
  comm::Communicator& comm_;
  std::map<std::int64_t, std::vector<std::int64_t>> arrived_;  ///< words of each rank's next block
};

}  // namespace knnseq::stages
