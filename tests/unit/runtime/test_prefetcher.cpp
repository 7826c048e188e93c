// A thread that works ahead: order, overlap, errors, and an owner that leaves early.
#include <atomic>
#include <stdexcept>
#include <thread>

#include <catch2/catch.hpp>

#include "runtime/prefetcher.hpp"

namespace knnseq::runtime {

TEST_CASE("jobs run one after another on one thread that is not the owner's") {
  Prefetcher<std::thread::id> worker;
  worker.start([] { return std::this_thread::get_id(); });
  const auto first = worker.take();
  worker.start([] { return std::this_thread::get_id(); });
  CHECK(worker.take() == first);
  CHECK(first != std::this_thread::get_id());
}

TEST_CASE("a job runs while its owner does something else") {
  std::atomic<bool> go = false;
  Prefetcher<int> worker;
  worker.start([&] {
    go.wait(false);  // would never end if start() or take() ran the job
    return 7;
  });
  go = true;
  go.notify_one();
  CHECK(worker.take() == 7);
}

TEST_CASE("what a job throws reaches the owner, and the worker goes on") {
  Prefetcher<int> worker;
  worker.start([]() -> int { throw std::runtime_error("the third unit"); });
  CHECK_THROWS_WITH(worker.take(), "the third unit");
  worker.start([] { return 1; });
  CHECK(worker.take() == 1);
}

TEST_CASE("a worker that is left waits for the job in work") {
  std::atomic<bool> begun = false;
  std::atomic<bool> ended = false;
  {
    Prefetcher<int> worker;
    worker.start([&] {
      begun = true;
      begun.notify_one();
      std::this_thread::yield();
      ended = true;
      return 0;
    });
    begun.wait(false);
  }
  CHECK(ended);
}

TEST_CASE("a job learns that it works in vain") {
  std::atomic<bool> begun = false;
  {
    Prefetcher<int> worker;
    worker.start([&] {
      begun = true;
      begun.notify_one();
      while (!worker.abandoned()) std::this_thread::yield();  // for ever if it did not
      return 0;
    });
    begun.wait(false);
    CHECK_FALSE(worker.abandoned());
  }
}

}  // namespace knnseq::runtime
