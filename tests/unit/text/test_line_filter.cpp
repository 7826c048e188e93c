#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "core/error.hpp"
#include "text/files/line_filter.hpp"

using namespace knnseq;
using Catch::Contains;
using text::filter_lines;

namespace {

using Lines = std::vector<std::string>;

/// Ten megabytes: more than any pipe holds.
Lines many_lines() {
  Lines lines;
  for (int i = 0; i < 100'000; ++i) {
    lines.push_back(std::to_string(i) + std::string(i % 200, 'x'));
  }
  return lines;
}

void check_filter_refused(const std::string& command, const Lines& lines,
                          const std::string& reason) {
  INFO(command);
  CHECK_THROWS_AS(filter_lines(command, lines), core::InputError);
  CHECK_THROWS_WITH(filter_lines(command, lines),
                    Contains("filter '" + command + "': ") && Contains(reason));
}

}  // namespace

TEST_CASE("lines go through a command") {
  const Lines lines{"das ist", "", " ein  Haus ", "Größe 😀\t.", "\r"};
  CHECK(filter_lines("cat", lines) == lines);
  CHECK(filter_lines("tr a-z A-Z | cat", Lines{"ab", "c"}) == Lines{"AB", "C"});
  CHECK(filter_lines("sed s/^/-/ && true", Lines{"", "x"}) == Lines{"-", "-x"});
  CHECK(filter_lines("head -n 1; printf end", Lines{"a", "b"}) == Lines{"a", "end"});
  CHECK(filter_lines("cat", {}).empty());
  CHECK(filter_lines("true", {}).empty());
}

TEST_CASE("more data than pipes hold, in both directions") {
  const Lines lines = many_lines();
  CHECK(filter_lines("cat", lines) == lines);
  CHECK(filter_lines("sed p | sed -n 2~2p", lines) == lines);
  // A command that writes before it reads, and one that reads everything before it writes.
  CHECK(filter_lines("yes | head -n 100000; cat >/dev/null", lines) == Lines(lines.size(), "y"));
  Lines sorted = lines;
  std::sort(sorted.begin(), sorted.end());
  CHECK(filter_lines("LC_ALL=C sort", lines) == sorted);
}

TEST_CASE("commands that do not give a line for each line are refused") {
  const Lines lines{"a", "b", "c"};
  check_filter_refused("sed 2d", lines, "got 3 lines and gave 2");
  check_filter_refused("sed p", lines, "got 3 lines and gave 6");
  check_filter_refused("cat; printf end", lines, "got 3 lines and gave 4");
  check_filter_refused("cat >/dev/null", lines, "got 3 lines and gave 0");
  check_filter_refused("echo x", {}, "got 0 lines and gave 1");
  check_filter_refused("cat; exit 3", lines, "ended with exit status 3");
  check_filter_refused("cat >/dev/null; knnseq-no-such-command", lines,
                       "exit status 127 (command not found)");
  check_filter_refused("cat; kill -9 $$", lines, "was ended by signal 9 (Killed)");
  check_filter_refused("cat >/dev/null; printf 'a\\n\\377\\nc\\n'", lines,
                       "line 2 of its output is invalid text");
  check_filter_refused("cat >/dev/null; printf '\\0\\nb\\nc\\n'", lines,
                       "line 1 of its output is invalid text");
}

TEST_CASE("commands that stop reading neither kill nor hang us") {
  const Lines lines = many_lines();
  check_filter_refused("sleep 0.1; exit 0", lines, "stopped before the end of its input");
  check_filter_refused("sleep 0.1; exit 5", lines, "ended with exit status 5");
  check_filter_refused("head -n 1", lines, "stopped before the end of its input");
  check_filter_refused("exec >&-; cat >/dev/null", lines, "stopped before the end of its input");
  sigset_t signals;
  ::sigpending(&signals);
  CHECK(::sigismember(&signals, SIGPIPE) == 0);
  ::pthread_sigmask(SIG_BLOCK, nullptr, &signals);
  CHECK(::sigismember(&signals, SIGPIPE) == 0);
}

TEST_CASE("commands get our environment without MPI's variables, and none of our files") {
  for (const char* name : {"OMPI_TEST", "PMIX_TEST", "PMI_TEST", "OTHER_TEST"}) {
    ::setenv(name, "set", 1);
  }
  CHECK(filter_lines("cat >/dev/null; env | grep _TEST=", Lines{"a"}) == Lines{"OTHER_TEST=set"});
  for (const char* name : {"OMPI_TEST", "PMIX_TEST", "PMI_TEST", "OTHER_TEST"}) ::unsetenv(name);

  const int file = ::open("/dev/null", O_RDONLY);  // not close-on-exec
  REQUIRE(file > 2);
  const std::string probe = "test -e /proc/$$/fd/" + std::to_string(file);
  CHECK(filter_lines("cat >/dev/null; " + probe + " && echo open || echo closed", Lines{"a"}) ==
        Lines{"closed"});
  ::close(file);
}
