#include "comm/self_communicator.hpp"

#include <deque>

#include "core/error.hpp"

namespace knnseq::comm {

namespace {

Gathered<std::byte> own(std::span<const std::byte> mine) {
  return {{mine.begin(), mine.end()}, {0, static_cast<std::int64_t>(mine.size())}};
}

class SelfCommunicator final : public Communicator {
 public:
  using Communicator::all_reduce;
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void barrier() override {}
  void broadcast_bytes(std::span<std::byte>, int) override {}
  void all_reduce(std::span<std::int64_t>, Reduction) override {}
  void all_reduce(std::span<double>, Reduction) override {}
  Gathered<std::byte> all_gather_bytes(std::span<const std::byte> mine) override {
    return own(mine);
  }
  Gathered<std::byte> all_to_all_bytes(std::span<const std::byte> mine,
                                       std::span<const std::int64_t>) override {
    return own(mine);
  }
  std::unique_ptr<Communicator> split(int) override { return make_self_communicator(); }
  std::unique_ptr<Communicator> split_by_node() override { return make_self_communicator(); }
  void post(int, std::span<const std::int64_t> message) override {
    messages_.emplace_back(message.begin(), message.end());
  }
  std::optional<std::vector<std::int64_t>> poll() override {
    if (messages_.empty()) return std::nullopt;
    auto message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  void start_all_gather(std::vector<std::byte> mine) override {
    under_way_.push_back(std::move(mine));
  }
  void start_all_to_all(std::vector<std::vector<std::byte>> parts) override {
    KNNSEQ_ASSERT(parts.size() == 1, "one part a rank");
    under_way_.push_back(std::move(parts.front()));
  }
  std::vector<std::vector<std::byte>> collect() override {
    KNNSEQ_ASSERT(!under_way_.empty(), "no exchange is under way");
    std::vector<std::vector<std::byte>> messages = {std::move(under_way_.front())};
    under_way_.pop_front();
    return messages;
  }

 private:
  std::deque<std::vector<std::int64_t>> messages_;
  std::deque<std::vector<std::byte>> under_way_;
};

}  // namespace

std::unique_ptr<Communicator> make_self_communicator() {
  return std::make_unique<SelfCommunicator>();
}

Communicator& self_communicator() {
  static SelfCommunicator self;
  return self;
}

}  // namespace knnseq::comm
