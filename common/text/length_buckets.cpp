#include "text/length_buckets.hpp"

namespace knnseq::text {

LengthBuckets::LengthBuckets(std::int64_t max_positions) : max_positions_(max_positions) {
  KNNSEQ_ASSERT(max_positions > 0, "lengths start at 1");
  counts_.resize(static_cast<std::size_t>(size()));
}

std::int64_t LengthBuckets::index(std::int64_t target_length, std::int64_t source_length) const {
  KNNSEQ_ASSERT(target_length >= 1 && target_length <= max_positions_, "target length");
  KNNSEQ_ASSERT(source_length >= 1 && source_length <= max_positions_, "source length");
  return (target_length - 1) * max_positions_ + source_length - 1;
}

}  // namespace knnseq::text
