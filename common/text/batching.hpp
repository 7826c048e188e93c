// Batches of sentence pairs of similar length, cut from a histogram of lengths alone.
#pragma once

#include <span>
#include <vector>

#include "core/types.hpp"

namespace knnseq::text {

/// Histogram over (target length, source length), both in tokens with the end of sentence, in
/// [1, max_positions]. Row-major in the order that batches are cut in, so the counts of several
/// ranks are added element by element, and an exclusive scan gives each bucket's first position.
class LengthBuckets {
 public:
  explicit LengthBuckets(std::int64_t max_positions);

  std::int64_t max_positions() const { return max_positions_; }
  std::int64_t size() const { return max_positions_ * max_positions_; }

  /// Throws std::logic_error if a length is out of range.
  std::int64_t index(std::int64_t target_length, std::int64_t source_length) const;
  std::int64_t target_length(std::int64_t index) const { return index / max_positions_ + 1; }
  std::int64_t source_length(std::int64_t index) const { return index % max_positions_ + 1; }

  void add(std::int64_t target_length, std::int64_t source_length) {
    ++counts_[index(target_length, source_length)];
  }
  std::span<std::int64_t> counts() { return counts_; }  ///< [size()]
  std::span<const std::int64_t> counts() const { return counts_; }

 private:
  std::int64_t max_positions_;
  std::vector<std::int64_t> counts_;
};

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
