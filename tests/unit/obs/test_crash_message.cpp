// A process that a signal ends says who it was.
#include <array>
#include <csignal>
#include <cstdlib>

#include <catch2/catch.hpp>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "obs/crash_message.hpp"

using namespace knnseq;

namespace {

struct Ended {
  std::string text;  ///< of stderr
  int signal = 0;
};

/// What a child process says that announces its crashes twice and then gets this signal.
Ended crash(int signal, const std::string& who, rlim_t most_memory = RLIM_INFINITY) {
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(signal, SIG_DFL);  // not the handler of the test's framework
    ::dup2(pipe[1], STDERR_FILENO);
    obs::announce_crashes("before");
    obs::announce_crashes(who);
    const rlimit limit{most_memory, most_memory};
    if (most_memory != RLIM_INFINITY) ::setrlimit(RLIMIT_AS, &limit);
    ::raise(signal);
    std::_Exit(0);
  }
  ::close(pipe[1]);
  Ended ended;
  std::array<char, 256> part{};
  for (ssize_t got = 0; (got = ::read(pipe[0], part.data(), part.size())) > 0;) {
    ended.text.append(part.data(), got);
  }
  ::close(pipe[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ended.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return ended;
}

}  // namespace

TEST_CASE(
    "a crash is announced by one line that names the process, which the same signal then ends") {
  const Ended aborted = crash(SIGABRT, "knnseq add: rank 1 on host");
  CHECK(aborted.signal == SIGABRT);
  CHECK(aborted.text ==
        "knnseq add: rank 1 on host: ended by SIGABRT; the cause stands above, where a library "
        "gave one\n");
  CHECK(crash(SIGSEGV, "r").text.rfind("r: ended by SIGSEGV;", 0) == 0);
#ifndef __SANITIZE_ADDRESS__  // which takes the place of a failing mmap
  CHECK(crash(SIGSEGV, "r", /*most_memory=*/1 << 20).text ==
        "r: ended by SIGSEGV; the cause stands above, where a library gave one; it has no memory "
        "left\n");
#endif
}

TEST_CASE("the name in a crash's message is cut and printable") {
  const Ended ended = crash(SIGABRT, "a\nb" + std::string(1000, 'x'));
  CHECK(ended.signal == SIGABRT);
  CHECK(ended.text.rfind("a\\nbxxx", 0) == 0);
  CHECK(ended.text.size() < 600);
  CHECK(ended.text.back() == '\n');
}
