#include "stages/shared/translation/block_schedule.hpp"

namespace knnseq::stages {

std::optional<std::int64_t> BlockSchedule::update(std::span<const std::int64_t> statuses,
                                                  int rank) {
  finished_ = true;
  for (const auto status : statuses) {
    if (static_cast<RankStatus>(status) == RankStatus::stopped) next_ = blocks_.size();
  }
  std::optional<std::int64_t> mine;
  for (std::size_t i = 0; i < statuses.size(); ++i) {
    const auto r = (static_cast<std::size_t>(first_) + i) % statuses.size();
    const auto status = static_cast<RankStatus>(statuses[r]);
    if (status == RankStatus::busy || status == RankStatus::waiting) finished_ = false;
    if (status != RankStatus::waiting || next_ == blocks_.size()) continue;
    const auto block = blocks_[next_++];
    if (static_cast<int>(r) == rank) mine = block;
  }
  return mine;
}

}  // namespace knnseq::stages
