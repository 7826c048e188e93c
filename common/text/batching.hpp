// Batches of sentence pairs of similar length, cut from a histogram alone.
#pragma once

#include <vector>

#include "text/length_buckets.hpp"

namespace knnseq::text {

/// Consecutive sentences in the order (target length, source length, number).
struct Batch {
  std::int64_t first_sentence = 0;  ///< position in that order
  std::int64_t sentences = 0;
  std::int64_t max_source = 0;  ///< tokens with the end of sentence, as all lengths here
  std::int64_t max_target = 0;
  std::int64_t target_tokens = 0;  ///< sum of target lengths: the batch's entries
  std::int64_t source_tokens = 0;

  bool operator==(const Batch&) const = default;
};

/// Cuts the sentences into batches with sentences × max(longest source, longest target) ≤
/// max_tokens; a single longer sentence makes a batch of its own. The same for any number of ranks
/// and shards. Takes time for buckets and batches, not for sentences.
std::vector<Batch> cut_batches(const LengthBuckets& buckets, std::int64_t max_tokens);

}  // namespace knnseq::text
