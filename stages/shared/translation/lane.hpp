// Blocks that a rank translates in step with the other ranks of its group.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "retrieval/knn_mixer.hpp"
#include "search/beam_search.hpp"
#include "stages/shared/translation/block_schedule.hpp"
#include "stages/shared/translation/block_work.hpp"

namespace knnseq::stages {

/// All ranks of the mixer's group have one for the same blocks, which they take from one schedule,
/// one at a time each. A step of their blocks is one exchange: every rank searches its part of the
/// datastore for all. A rank without a block goes on searching for the others.
///
/// advance() and serve() come in turns, until advance() has left it finished(). Each sends what the
/// other one waits for, so a rank that does something else in between, such as to call them for
/// another lane, seldom waits.
class Lane {
 public:
  /// first: the rank that gets the first block. Tools, work and mixer must outlive it.
  Lane(const BlockTools& tools, const BlockWork& work, retrieval::KnnMixer& mixer,
       std::vector<std::int64_t> blocks, int first)
      : tools_(tools), work_(work), mixer_(mixer), schedule_(std::move(blocks), first) {}

  /// Receives what was found for this rank, goes on with its block up to the next queries, and
  /// sends these to all. Collective.
  void advance();
  /// Receives the queries of all, searches for them and sends what is found. Collective.
  void serve();

  /// No rank had a block any more, nor does any get one.
  bool finished() const { return !step_; }

 private:
  void begin(std::int64_t block);
  void ask();
  RankStatus status();

  const BlockTools& tools_;
  const BlockWork& work_;
  retrieval::KnnMixer& mixer_;
  BlockSchedule schedule_;
  RankStatus without_block_ = RankStatus::waiting;  ///< what this rank is when it has no block
  std::optional<std::int64_t> next_;                ///< a block that it got and has not begun
  std::int64_t block_ = 0;
  std::unique_ptr<search::BeamSearch> search_;  ///< of its block; null: it has none
  search::BeamSearch::Question question_;
  std::optional<retrieval::PendingMix> step_;  ///< under way
};

}  // namespace knnseq::stages
