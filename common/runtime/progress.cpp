#include "runtime/progress.hpp"

#include <array>
#include <chrono>
#include <thread>

namespace knnseq::runtime {

namespace {
constexpr double post_seconds = 0.5;
constexpr double show_seconds = 5.0;
}  // namespace

Progress::Progress(StageContext& context, const std::string& unit, std::int64_t total)
    : context_(context), all_(unit, total), mine_(unit, total) {}

void Progress::add(std::int64_t items) {
  if (context_.comm.is_root()) {
    all_.add(items);
    collect();
    show(show_seconds);
    return;
  }
  unposted_ += items;
  if (mine_.due(post_seconds)) post(false);
}

void Progress::skip(std::int64_t items) {
  if (context_.comm.is_root()) {
    all_.skip(items);
  } else {
    unposted_skips_ += items;
  }
}

void Progress::post(bool finished) {
  context_.comm.post(0, std::array<std::int64_t, 3>{unposted_, unposted_skips_, finished});
  unposted_ = unposted_skips_ = 0;
}

void Progress::collect() {
  while (const auto message = context_.comm.poll()) {
    all_.add(message->at(0));
    all_.skip(message->at(1));
    ranks_finished_ += static_cast<int>(message->at(2));
  }
}

void Progress::show(double interval_seconds) {
  if (!all_.due(interval_seconds)) return;
  context_.log.progress(all_.line());
  context_.log.event("progress", {{"done", all_.done()}});
}

void Progress::finish() {
  if (!context_.comm.is_root()) {
    post(true);
  } else {
    while (ranks_finished_ + 1 < context_.comm.size()) {
      collect();
      show(show_seconds);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  }
  context_.comm.barrier();
}

}  // namespace knnseq::runtime
