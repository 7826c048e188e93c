#include "stages/shared/translation/lane.hpp"

#include <utility>

namespace knnseq::stages {

void Lane::advance() {
  if (step_) {
    mixer_.finish(*step_);
    step_.reset();
    work_.step_done();
    if (schedule_.finished()) return;
    if (search_) search_->answer(std::move(question_.log_probs));
  }
  if (next_) begin(*std::exchange(next_, std::nullopt));
  if (search_) ask();
  const auto told = static_cast<std::int64_t>(status());
  if (search_) {
    step_ = mixer_.start(question_.queries.vectors, question_.queries.sentences,
                         question_.log_probs, told);
  } else {
    step_ = mixer_.start(told);
  }
}

void Lane::serve() {
  mixer_.serve(*step_);
  next_ = schedule_.update(step_->statuses(), mixer_.group().rank());
  if (!search_ && !next_ && without_block_ == RankStatus::waiting) {
    without_block_ = RankStatus::idle;
  }
}

void Lane::begin(std::int64_t block) {
  block_ = block;
  const auto sources = work_.sources(block);
  search_ = std::make_unique<search::BeamSearch>(
      tools_.model, sources, tools_.model.encode(sources), work_.beam_of(block, tools_.beam));
}

/// Up to the next step that has a question, or the block's end.
void Lane::ask() {
  while (!search_->done()) {
    question_ = search_->ask();
    if (question_.log_probs.defined()) return;
    search_->answer({});
  }
  mixer_.check();
  work_.done(block_, search_->take_results());
  search_.reset();
}

RankStatus Lane::status() {
  if (search_) return RankStatus::busy;
  if (work_.stopped()) without_block_ = RankStatus::stopped;
  return without_block_;
}

}  // namespace knnseq::stages
