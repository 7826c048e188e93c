#include "text/batching.hpp"

#include <algorithm>

namespace knnseq::text {

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
    std::int64_t left = buckets.counts()[static_cast<std::size_t>(bucket)];
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
