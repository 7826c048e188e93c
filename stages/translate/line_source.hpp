// Lines of text as they come in.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace knnseq::stages {

struct InputLine {
  std::int64_t number = 0;  ///< from 1
  std::string text;         ///< without its end; valid text, unless there is an error
  std::string error;        ///< what is wrong with it; empty: nothing
};

/// Reads lines in a thread of its own, so that all that wait can be taken together. Line ends, a
/// byte order mark at the start, and what counts as text are as in text::read_lines().
class LineSource {
 public:
  /// Reads from a file descriptor, which stays open, as long as fewer than `most` lines wait.
  LineSource(int descriptor, std::int64_t most);
  ~LineSource();
  LineSource(const LineSource&) = delete;
  LineSource& operator=(const LineSource&) = delete;

  /// The lines that wait, at most `most`: once nothing more has come for a moment, so that what one
  /// write or one file brought is taken together. Empty if none came within `patience_seconds`, or
  /// at the end. Throws core::SystemError if reading failed.
  std::vector<InputLine> take(double patience_seconds);
  /// Whether all lines there will ever be have been taken.
  bool ended();

 private:
  void run();
  bool read_some();
  void add_line(std::string_view line, bool too_long);

  int descriptor_;
  std::size_t most_;
  std::string partial_;    ///< the line that has begun
  bool skipping_ = false;  ///< it is longer than a line may be
  std::int64_t lines_ = 0;
  std::mutex mutex_;  ///< guards what follows
  std::condition_variable changed_;
  std::deque<InputLine> waiting_;
  bool quiet_ = false;  ///< nothing has come for a moment
  bool ended_ = false;
  bool ending_ = false;
  std::exception_ptr failure_;
  std::thread thread_;  ///< last: it uses all others
};

}  // namespace knnseq::stages
