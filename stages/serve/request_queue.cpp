#include "stages/serve/request_queue.hpp"

#include <chrono>
#include <iterator>
#include <utility>

namespace knnseq::stages {

std::optional<std::vector<std::future<TranslationAnswer>>> RequestQueue::put(
    std::vector<TranslationRequest> requests) {
  std::vector<std::future<TranslationAnswer>> answers;
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + requests.size() > most_) return std::nullopt;
    for (auto& request : requests) {
      waiting_.push_back({std::move(request), {}});
      answers.push_back(waiting_.back().answer.get_future());
    }
  }
  changed_.notify_one();
  return answers;
}

std::vector<QueuedRequest> RequestQueue::take(double patience_seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(patience_seconds),
                    [this] { return !waiting_.empty(); });
  std::vector<QueuedRequest> all(std::make_move_iterator(waiting_.begin()),
                                 std::make_move_iterator(waiting_.end()));
  waiting_.clear();
  return all;
}

}  // namespace knnseq::stages
