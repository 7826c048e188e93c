#include "runtime/progress.hpp"

#include <array>
#include <chrono>
#include <thread>

namespace knnseq::runtime {

namespace {
constexpr double post_seconds = 0.5;
constexpr double show_seconds = 5.0;
}  // namespace

Progress::Progress(StageContext& context, const std::string& unit, std::int64_t total,
                   std::int64_t done_before)
    : context_(context), all_(unit, total, done_before), mine_(unit, total) {}

void Progress::add(std::int64_t items) {
  if (context_.comm.is_root()) {
    all_.add(items);
    collect();
    show(show_seconds);
    return;
  }
  unposted_ += items;
  if (!mine_.due(post_seconds)) return;
  context_.comm.post(0, std::array<std::int64_t, 2>{unposted_, 0});
  unposted_ = 0;
}

void Progress::collect() {
  while (const auto message = context_.comm.poll()) {
    all_.add(message->at(0));
    ranks_finished_ += static_cast<int>(message->at(1));
  }
}

void Progress::show(double interval_seconds) {
  if (!all_.due(interval_seconds)) return;
  context_.log.progress(all_.line());
  context_.log.event("progress", {{"done", all_.done()}});
}

void Progress::finish() {
  if (!context_.comm.is_root()) {
    context_.comm.post(0, std::array<std::int64_t, 2>{unposted_, 1});
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
