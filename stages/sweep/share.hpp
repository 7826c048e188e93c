// Shares of the datastore: smaller ones, as a sample of its entries.
#pragma once

#include "core/hash.hpp"

namespace knnseq::stages {

/// Whether an entry belongs to the share 1/n, by hash of its number: the same for any number of
/// shards and ranks, and independent of the choice of training vectors.
inline bool in_share(std::int64_t entry, std::int64_t n) {
  constexpr std::uint64_t seed = 0x7368617265;
  return core::seeded_hash(seed, static_cast<std::uint64_t>(entry)) %
             static_cast<std::uint64_t>(n) ==
         0;
}

}  // namespace knnseq::stages
