#include "stages/translate/line_source.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// What lies between two parts of one text on their way through pipes and mpirun, at most.
constexpr int moment_milliseconds = 20;
constexpr std::size_t longest = text::TextLimits{}.line_bytes;

}  // namespace

LineSource::LineSource(int descriptor, std::int64_t most)
    : descriptor_(descriptor), most_(static_cast<std::size_t>(most)), thread_([this] { run(); }) {}

LineSource::~LineSource() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

std::vector<InputLine> LineSource::take(double patience_seconds) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::duration<double>(patience_seconds), [this] {
    return ended_ || failure_ || waiting_.size() >= most_ || (quiet_ && !waiting_.empty());
  });
  std::vector<InputLine> lines;
  while (!waiting_.empty() && lines.size() < most_) {
    lines.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  if (lines.empty() && failure_) std::rethrow_exception(failure_);
  changed_.notify_all();
  return lines;
}

bool LineSource::ended() {
  const std::lock_guard lock(mutex_);
  return ended_ && waiting_.empty();
}

void LineSource::run() {
  try {
    while (read_some()) continue;
  } catch (...) {
    const std::lock_guard lock(mutex_);
    failure_ = std::current_exception();
  }
  changed_.notify_all();
}

/// False at the end.
bool LineSource::read_some() {
  {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return ending_ || waiting_.size() < most_; });
    if (ending_) return false;
  }
  pollfd source{descriptor_, POLLIN, 0};
  const int ready = ::poll(&source, 1, moment_milliseconds);
  if (ready < 0 && errno != EINTR) throw core::SystemError("poll", "standard input", errno);
  if (ready <= 0) {
    const std::lock_guard lock(mutex_);
    if (!quiet_) changed_.notify_all();
    quiet_ = true;
    return true;
  }
  std::array<char, 1 << 16> buffer;
  const auto count = ::read(descriptor_, buffer.data(), buffer.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count < 0) throw core::SystemError("read", "standard input", errno);
  const std::lock_guard lock(mutex_);
  quiet_ = false;
  std::string_view rest(buffer.data(), static_cast<std::size_t>(count));
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    partial_ += rest.substr(0, end);
    rest.remove_prefix(end == rest.npos ? rest.size() : end + 1);
    if (partial_.size() > longest + 1) {  // one more may be "\r"
      partial_.resize(longest + 2);
      skipping_ = true;
    }
    if (end != rest.npos) add_line(std::exchange(partial_, {}), std::exchange(skipping_, false));
  }
  if (count > 0) return true;
  if (!partial_.empty()) add_line(std::exchange(partial_, {}), skipping_);
  ended_ = true;
  return false;
}

void LineSource::add_line(std::string_view line, bool too_long) {
  InputLine input{++lines_, {}, {}};
  if (lines_ == 1 && line.starts_with(core::byte_order_mark)) {
    line.remove_prefix(core::byte_order_mark.size());
  }
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (too_long || line.size() > longest) {
    input.error =
        fmt::format("the line has more than {} bytes: is this one sentence a line?", longest);
  } else if (!core::is_valid_text(line)) {
    input.error = "invalid text (not UTF-8, or with NUL)";
  } else {
    input.text = line;
  }
  waiting_.push_back(std::move(input));
}

}  // namespace knnseq::stages
