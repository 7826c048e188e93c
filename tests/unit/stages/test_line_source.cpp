// Lines as they come through a pipe.
#include <chrono>
#include <thread>

#include <catch2/catch.hpp>
#include <unistd.h>

#include "core/error.hpp"
#include "stages/translate/line_source.hpp"

using namespace knnseq;
using namespace std::string_literals;

namespace {

class Pipe {
 public:
  Pipe() { REQUIRE(::pipe(ends_) == 0); }
  ~Pipe() {
    close_writer();
    ::close(ends_[0]);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int reader() const { return ends_[0]; }
  void write(const std::string& text) {
    REQUIRE(::write(ends_[1], text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  void close_writer() {
    if (ends_[1] >= 0) ::close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  int ends_[2] = {-1, -1};
};

std::vector<std::string> texts_of(const std::vector<stages::InputLine>& lines) {
  std::vector<std::string> texts;
  for (const auto& line : lines) texts.push_back(line.error.empty() ? line.text : "!" + line.error);
  return texts;
}

}  // namespace

TEST_CASE("lines that wait are taken together, others when they are whole") {
  Pipe pipe;
  stages::LineSource source(pipe.reader(), 100);
  CHECK(source.take(0.01).empty());
  CHECK_FALSE(source.ended());
  pipe.write(
      "\xEF\xBB\xBF"
      "one\r\ntwo\n\nthr");
  CHECK(texts_of(source.take(10)) == std::vector<std::string>{"one", "two", ""});
  CHECK(source.take(0.1).empty());
  pipe.write("ee\nfo\0ur\n\xff\nlast"s);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  pipe.close_writer();
  std::vector<stages::InputLine> lines;
  while (!source.ended()) {
    for (auto& line : source.take(10)) lines.push_back(std::move(line));
  }
  const std::string invalid = "!invalid text (not UTF-8, or with NUL)";
  CHECK(texts_of(lines) == std::vector<std::string>{"three", invalid, invalid, "last"});
  CHECK(lines.back().number == 7);
  CHECK(source.ended());
  CHECK(source.take(10).empty());
}

TEST_CASE("no more lines are given than are asked for, and none that is too long") {
  Pipe pipe;
  stages::LineSource source(pipe.reader(), 3);
  std::thread writer([&] {
    for (int i = 0; i < 7; ++i) pipe.write(std::to_string(i) + "\n");
    for (int i = 0; i < 3; ++i) pipe.write(std::string(500'000, 'x'));
    pipe.write("\nend\n");
    pipe.close_writer();
  });
  std::vector<std::string> all;
  while (!source.ended()) {
    const auto lines = texts_of(source.take(10));
    CHECK(lines.size() <= 3);
    all.insert(all.end(), lines.begin(), lines.end());
  }
  writer.join();
  REQUIRE(all.size() == 9);
  CHECK(all[6] == "6");
  CHECK(all[7].starts_with("!the line has more than 1048576 bytes"));
  CHECK(all[8] == "end");
}

TEST_CASE("a source that is not read to its end can be left") {
  Pipe pipe;
  pipe.write("one\ntwo\n");
  stages::LineSource source(pipe.reader(), 1);
  CHECK(source.take(10).size() == 1);
}
