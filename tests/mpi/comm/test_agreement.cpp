#include <new>

#include "comm/agreement.hpp"
#include "support/mpi_main.hpp"

using namespace knnseq;

namespace {

/// What agree() throws on this rank: "" for nothing.
std::string thrown(const std::function<void()>& work, int* code = nullptr) {
  try {
    comm::agree(test::world(), work);
  } catch (const comm::AgreedError& e) {
    if (code != nullptr) *code = static_cast<int>(e.code());
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("nobody throws if nobody fails") {
  REQUIRE_ALL(thrown([] {}).empty());
}

TEST_CASE("all throw the error of the one that fails, with its exit code") {
  const int last = test::world().size() - 1;
  int code = 0;
  const auto message = thrown(
      [&] {
        if (test::world().rank() == last) throw core::InputError("file.de:7", "invalid text");
      },
      &code);
  REQUIRE_ALL(message == "file.de:7: invalid text");
  REQUIRE_ALL(code == 2);
}

TEST_CASE("a list of problems stays a list") {
  std::vector<std::string> items;
  try {
    comm::agree(test::world(), [] {
      if (test::world().is_root()) throw core::InputError(std::vector<std::string>{"a\nb", "c"});
    });
  } catch (const comm::AgreedError& e) {
    items = core::items_of(e);
  }
  const std::vector<std::string> expected = {"a\\nb", "c"};
  REQUIRE_ALL(items == expected);
  const core::InputError one(std::vector<std::string>{"a\nb"});
  REQUIRE_ALL(!one.is_list());
  REQUIRE_ALL(core::items_of(one) == std::vector<std::string>{"a\nb"});
}

TEST_CASE("an exception of a library is shared by its first line, a bug of ours is not") {
  struct LibraryError : std::exception {
    const char* what() const noexcept override { return "failed in a library\nbacktrace"; }
  };
  REQUIRE_ALL(thrown([] { throw LibraryError(); }) == "failed in a library");
  CHECK_THROWS_AS(comm::agree(test::world(), [] { throw std::logic_error("bug"); }),
                  std::logic_error);
}

TEST_CASE("of several failures all report the lowest rank's") {
  const auto message =
      thrown([] { throw core::SystemError("failed on " + std::to_string(test::world().rank())); });
  REQUIRE_ALL(message == "failed on 0");
}

TEST_CASE("memory that runs out on one rank is everybody's error") {
  int code = 0;
  const auto message = thrown(
      [] {
        if (test::world().is_root()) throw std::bad_alloc();
      },
      &code);
  REQUIRE_ALL(message == "out of memory");
  REQUIRE_ALL(code == 1);
}

TEST_CASE("the rank that failed speaks for all, and knows whether it failed alone") {
  auto& world = test::world();
  const int last = world.size() - 1;
  for (const bool everyone : {false, true}) {
    bool speaker = false, of_all = false;
    try {
      comm::agree(world, [&] {
        if (everyone || world.rank() == last) throw core::InputError("no such file");
      });
    } catch (const comm::AgreedError& e) {
      speaker = e.is_speaker();
      of_all = e.of_all();
    }
    REQUIRE_ALL(speaker == (world.rank() == (everyone ? 0 : last)));
    REQUIRE_ALL(of_all == (everyone || world.size() == 1));
  }
}

TEST_CASE("on_root works on rank 0 alone, and all throw what it throws") {
  auto& world = test::world();
  std::int64_t ran = 0;
  comm::on_root(world, [&] { ran = 1; });
  REQUIRE_ALL(world.all_reduce(ran, comm::Reduction::sum) == 1);
  REQUIRE_ALL((ran == 1) == world.is_root());
  std::string message;
  try {
    comm::on_root(world, [] { throw core::InputError("file.de", "is missing"); });
  } catch (const comm::AgreedError& e) {
    message = e.what();
  }
  REQUIRE_ALL(message == "file.de: is missing");
}
