#include "text/files/line_filter.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <fstream>
#include <string_view>

#include <fmt/format.h>
#include <poll.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/utf8.hpp"
#include "text/files/shell_process.hpp"

namespace knnseq::text {

namespace {

/// While it lives, writing to a pipe that nobody reads fails with EPIPE and nothing else happens;
/// other threads and the process's signal handlers are not touched.
class NoBrokenPipeSignal {
 public:
  NoBrokenPipeSignal() {
    ::sigemptyset(&signal_);
    ::sigaddset(&signal_, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signal_, &before_);
  }
  ~NoBrokenPipeSignal() {
    if (::sigismember(&before_, SIGPIPE) == 1) return;
    const timespec now{};
    while (::sigtimedwait(&signal_, nullptr, &now) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  NoBrokenPipeSignal(const NoBrokenPipeSignal&) = delete;
  NoBrokenPipeSignal& operator=(const NoBrokenPipeSignal&) = delete;

 private:
  sigset_t signal_{};
  sigset_t before_{};
};

struct Outcome {
  std::string output;
  bool complete = true;  ///< whether the process took its whole input
};

/// Writes what the pipe takes. False if nobody reads it any more.
bool write_some(int pipe, std::string_view& input) {
  const ssize_t written = ::write(pipe, input.data(), input.size());
  if (written >= 0) {
    input.remove_prefix(written);
  } else if (errno == EPIPE) {
    return false;
  } else if (errno != EAGAIN && errno != EINTR) {
    throw core::SystemError("write", "pipe", errno);
  }
  return true;
}

/// Appends what the pipe has. False at its end.
bool read_some(int pipe, std::string& output) {
  std::array<char, 65536> buffer;
  const ssize_t bytes = ::read(pipe, buffer.data(), buffer.size());
  if (bytes < 0 && errno != EINTR) throw core::SystemError("read", "pipe", errno);
  if (bytes > 0) output.append(buffer.data(), bytes);
  return bytes != 0;
}

Outcome feed(ShellProcess& process, std::string_view input) {
  const NoBrokenPipeSignal guard;
  Outcome outcome;
  if (input.empty()) process.close_input();
  for (;;) {
    // poll leaves out negative descriptors.
    std::array<pollfd, 2> pipes{{{process.output(), POLLIN, 0}, {process.input(), POLLOUT, 0}}};
    if (::poll(pipes.data(), pipes.size(), -1) < 0) {
      if (errno == EINTR) continue;
      throw core::SystemError("poll", "pipe", errno);
    }
    if (pipes[1].revents != 0) {
      outcome.complete = write_some(process.input(), input);
      if (input.empty() || !outcome.complete) process.close_input();
    }
    if (pipes[0].revents != 0 && !read_some(process.output(), outcome.output)) break;
  }
  process.close_input();  // it may wait for more, although it has closed its stdout
  outcome.complete &= input.empty();
  return outcome;
}

/// How a process ended, from the status that waitpid gives.
std::string describe(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    const char* name = ::sigdescr_np(signal);
    return fmt::format("was ended by signal {} ({})", signal, name ? name : "unknown");
  }
  const int code = WEXITSTATUS(status);
  return fmt::format("ended with exit status {}{}", code,
                     code == 127 ? " (command not found)" : "");
}

std::vector<std::string> split_lines(std::string_view text, const std::string& where) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    if (!core::is_valid_text(line)) {
      throw core::InputError(where, fmt::format("line {} of its output is invalid text (not UTF-8, "
                                                "or with NUL)",
                                                lines.size() + 1));
    }
    lines.emplace_back(line);
  }
  return lines;
}

}  // namespace

std::vector<std::string> filter_lines(const std::string& command,
                                      std::span<const std::string> lines) {
  std::string input;
  for (const std::string& line : lines) input.append(line).append("\n");
  ShellProcess process(command);
  const Outcome outcome = feed(process, input);
  const int status = process.wait();

  const std::string where = fmt::format("filter '{}'", command);
  if (status != 0) throw core::InputError(where, describe(status));
  if (!outcome.complete) {
    throw core::InputError(where, "stopped before the end of its input (exit status 0)");
  }
  std::vector<std::string> filtered = split_lines(outcome.output, where);
  if (filtered.size() != lines.size()) {
    throw core::InputError(where, fmt::format("got {} lines and gave {}; it must give one for each",
                                              lines.size(), filtered.size()));
  }
  return filtered;
}

std::vector<std::filesystem::path> files_of_command(const std::string& command) {
  namespace fs = std::filesystem;
  constexpr const char* between_words = " \t\n\"'`;|&()<>=$";
  std::vector<fs::path> files;
  for (std::size_t at = 0; at < command.size();) {
    const auto begin = command.find_first_not_of(between_words, at);
    if (begin == command.npos) break;
    at = std::min(command.find_first_of(between_words, begin), command.size());
    const fs::path word = command.substr(begin, at - begin);
    std::error_code error;
    if (!fs::is_regular_file(word, error)) continue;
    std::array<char, 4> magic{};
    std::ifstream(word, std::ios::binary).read(magic.data(), magic.size());
    const bool machine_code = std::string_view(magic.data(), magic.size()) ==
                              "\x7f"
                              "ELF";
    if (!machine_code && std::find(files.begin(), files.end(), word) == files.end()) {
      files.push_back(word);
    }
  }
  return files;
}

void try_filter(const std::string& command) {
  if (!command.empty()) filter_lines(command, std::vector<std::string>{"A line of text ."});
}

}  // namespace knnseq::text
