#include "text/batching.hpp"

#include <algorithm>

namespace knnseq::text {

LengthBuckets::LengthBuckets(std::int64_t max_positions) : max_positions_(max_positions) {
  KNNSEQ_ASSERT(max_positions > 0, "lengths start at 1");
  counts_.resize(size());
}

std::int64_t LengthBuckets::index(std::int64_t target_length, std::int64_t source_length) const {
  KNNSEQ_ASSERT(target_length >= 1 && target_length <= max_positions_, "target length");
  KNNSEQ_ASSERT(source_length >= 1 && source_length <= max_positions_, "source length");
  return (target_length - 1) * max_positions_ + source_length - 1;
}

std::vector<Batch> cut_batches(const LengthBuckets& buckets, std::int64_t max_tokens) {
  KNNSEQ_ASSERT(max_tokens > 0, "a batch must hold something");
  std::vector<Batch> batches;
  Batch batch;
  const auto close = [&] {
    const std::int64_t next = batch.first_sentence + batch.sentences;
    if (batch.sentences > 0) batches.push_back(batch);
    batch = Batch{.first_sentence = next};
  };
  for (std::int64_t bucket = 0; bucket < buckets.size(); ++bucket) {
    const std::int64_t target = buckets.target_length(bucket);
    const std::int64_t source = buckets.source_length(bucket);
    std::int64_t left = buckets.counts()[bucket];
    while (left > 0) {
      const std::int64_t longest = std::max({batch.max_source, batch.max_target, source, target});
      const std::int64_t room = max_tokens / longest - batch.sentences;
      if (room <= 0 && batch.sentences > 0) {
        close();
        continue;
      }
      const std::int64_t taken = std::clamp<std::int64_t>(room, 1, left);
      left -= taken;
      batch.sentences += taken;
      batch.max_source = std::max(batch.max_source, source);
      batch.max_target = std::max(batch.max_target, target);
      batch.source_tokens += taken * source;
      batch.target_tokens += taken * target;
    }
  }
  close();
  return batches;
}

}  // namespace knnseq::text
