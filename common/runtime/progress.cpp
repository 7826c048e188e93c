#include "runtime/progress.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "core/error.hpp"

namespace knnseq::runtime {

namespace {
constexpr double post_seconds = 0.5;
constexpr double show_seconds = 5.0;
/// Between two signs of life of rank 0; a third of the longest silence if that is less.
constexpr double sign_seconds = 10.0;

void throw_if_silent(const obs::Stopwatch& since_heard, double timeout_seconds) {
  if (timeout_seconds <= 0 || since_heard.seconds() < timeout_seconds) return;
  throw core::SystemError(
      fmt::format("nothing was heard from the other ranks for {:.0f} s "
                  "(timeout_seconds in the config)",
                  timeout_seconds));
}
}  // namespace

Progress::Progress(StageContext& context, const std::string& unit, std::int64_t total)
    : context_(context), total_(total), all_(unit, total), mine_(unit, total) {}

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

void Progress::post_to_all(std::int64_t finished) {
  for (int rank = 1; rank < context_.comm.size(); ++rank) {
    context_.comm.post(rank, std::span(&finished, 1));
  }
  since_sign_ = {};
}

void Progress::collect() {
  while (const auto message = context_.comm.poll()) {
    all_.add(message->at(0));
    all_.skip(message->at(1));
    ranks_finished_ += static_cast<int>(message->at(2));
    since_heard_ = {};
  }
  const double silence = context_.timeout_seconds;
  const double interval = silence > 0 ? std::min(sign_seconds, silence / 3) : sign_seconds;
  if (since_sign_.seconds() > interval) post_to_all(0);
}

void Progress::show(double interval_seconds) {
  if (total_ == 0 || !all_.due(interval_seconds)) return;
  context_.log.progress(all_.line());
  context_.log.event("progress", {{"done", all_.done()}});
}

void Progress::finish() {
  since_heard_ = {};
  context_.comm.is_root() ? wait_as_root() : wait_for_root();
}

void Progress::wait_as_root() {
  while (ranks_finished_ + 1 < context_.comm.size()) {
    collect();
    show(show_seconds);
    throw_if_silent(since_heard_, context_.timeout_seconds);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  post_to_all(1);
}

void Progress::wait_for_root() {
  post(true);
  for (bool finished = false; !finished;) {
    while (const auto message = context_.comm.poll()) {
      finished = message->at(0) == 1;
      since_heard_ = {};
    }
    if (finished) break;
    throw_if_silent(since_heard_, context_.timeout_seconds);
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace knnseq::runtime
