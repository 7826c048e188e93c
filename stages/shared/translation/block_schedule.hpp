// Which rank decodes which block, by a rule that all ranks compute alike.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace knnseq::stages {

/// What a rank says of itself in the header of an exchange.
enum class RankStatus : std::int64_t {
  busy,     ///< decoding a block
  waiting,  ///< wants the next block
  idle,     ///< there is none for it any more
  stopped,  ///< idle, and after a stop signal: nobody is to begin another block
};

/// Every rank keeps one and feeds it the same statuses, so all agree without another message:
/// blocks go in order to the ranks that wait: first, first + 1, …, and then those before it.
class BlockSchedule {
 public:
  /// blocks: numbers of those that are left to do.
  explicit BlockSchedule(std::vector<std::int64_t> blocks, int first = 0)
      : blocks_(std::move(blocks)), first_(first) {}

  /// Takes the statuses of one exchange; returns the block that `rank` got in it, if any.
  std::optional<std::int64_t> update(std::span<const std::int64_t> statuses, int rank);
  /// No rank is busy or waiting: the last exchange was the last one.
  bool finished() const { return finished_; }

 private:
  std::vector<std::int64_t> blocks_;
  int first_;
  std::size_t next_ = 0;
  bool finished_ = false;
};

}  // namespace knnseq::stages
