// Requests of several clients, on their way to the translator.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <future>
#include <mutex>
#include <optional>
#include <vector>

#include "stages/shared/translation/resident_translator.hpp"

namespace knnseq::stages {

/// A request that waits, and where its answer goes.
struct QueuedRequest {
  TranslationRequest request;
  std::promise<TranslationAnswer> answer;
};

/// Holds a bounded number of requests between the threads of clients and the one that translates.
class RequestQueue {
 public:
  /// most: requests that wait.
  explicit RequestQueue(std::int64_t most) : most_(static_cast<std::size_t>(most)) {}

  /// All of a client's requests, or none if there is no room for all of them.
  std::optional<std::vector<std::future<TranslationAnswer>>> put(
      std::vector<TranslationRequest> requests);
  /// Everything that waits; empty if nothing comes within `patience_seconds`.
  std::vector<QueuedRequest> take(double patience_seconds);

  std::int64_t most() const { return static_cast<std::int64_t>(most_); }

 private:
  std::size_t most_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<QueuedRequest> waiting_;
};

}  // namespace knnseq::stages
