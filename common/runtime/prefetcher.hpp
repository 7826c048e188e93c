// A thread that computes the next result while its owner uses the current one.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace knnseq::runtime {

/// One job at a time: start(), take(), start(), … All jobs run on the same thread, one after
/// another. Destroying the worker waits for the running job, which may ask abandoned() and end
/// early.
template <class Result>
class Prefetcher {
 public:
  Prefetcher() : thread_([this] { run(); }) {}
  Prefetcher(const Prefetcher&) = delete;
  Prefetcher& operator=(const Prefetcher&) = delete;

  ~Prefetcher() {
    {
      const std::scoped_lock lock(mutex_);
      ending_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }

  /// Begins a job; the previous result must have been taken.
  void start(std::function<Result()> job) {
    std::packaged_task<Result()> task(std::move(job));
    result_ = task.get_future();
    {
      const std::scoped_lock lock(mutex_);
      next_ = std::move(task);
    }
    changed_.notify_one();
  }

  /// Whether the result is no longer wanted, since the worker is being destroyed.
  bool abandoned() const { return ending_; }

  /// Waits for the job begun last and gives its result, or throws what it threw.
  Result take() { return result_.get(); }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return ending_ || next_; });
      if (ending_) return;
      auto task = std::move(*next_);
      next_.reset();
      lock.unlock();
      task();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<std::packaged_task<Result()>> next_;
  std::atomic<bool> ending_ = false;
  std::future<Result> result_;
  std::thread thread_;  ///< last, so that it starts when all else is there
};

}  // namespace knnseq::runtime
