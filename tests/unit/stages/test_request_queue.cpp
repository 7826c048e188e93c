// Requests between the threads of clients and the one that translates.
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>

#include "stages/serve/request_queue.hpp"

using namespace knnseq;

namespace {

std::vector<stages::TranslationRequest> requests(std::size_t count) {
  return std::vector<stages::TranslationRequest>(count, {.line = "a", .prefix = {}});
}

}  // namespace

TEST_CASE("what waits is taken together, and there is no room for more than that") {
  stages::RequestQueue queue(3);
  CHECK(queue.take(0.01).empty());
  auto first = queue.put(requests(2));
  REQUIRE(first);
  CHECK_FALSE(queue.put(requests(2)));  // all or nothing
  CHECK(queue.put(requests(1)));
  CHECK_FALSE(queue.put(requests(1)));
  auto taken = queue.take(10);
  REQUIRE(taken.size() == 3);
  CHECK(queue.put(requests(3)));
  taken[1].answer.set_value({{}, {"text"}, {}, {}});
  CHECK(first->at(1).get().texts == std::vector<std::string>{"text"});
  CHECK(first->at(0).wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
}

TEST_CASE("the one that translates is woken by a request") {
  stages::RequestQueue queue(1);
  std::thread client([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(30));
    queue.put(requests(1));
  });
  CHECK(queue.take(60).size() == 1);
  client.join();
}
