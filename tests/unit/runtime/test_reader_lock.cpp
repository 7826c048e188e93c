// Readers share a run directory; who changes what they read, and they, exclude each other.
#include <catch2/catch.hpp>
#include <sys/wait.h>
#include <unistd.h>

#include "core/error.hpp"
#include "runtime/reader_lock.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::runtime;
using Catch::Matchers::Contains;

namespace {
constexpr LockTiming impatient{0.05, 60};
}

TEST_CASE("readers share, beside one that does not build") {
  test::TemporaryFolder folder;
  {
    const ReaderLock one(folder.path(), impatient);
    const ReaderLock two(folder.path(), impatient);
    const RunLock writer(folder / "lock", impatient, /*builds=*/false);
    const ReaderLock three(folder.path(), impatient);
    CHECK(three.notice().empty());
    CHECK_THROWS_WITH(refuse_readers(folder.path(), impatient),
                      Contains("is being read by " + this_process(0).name()));
  }
  CHECK_FALSE(std::filesystem::exists(folder / readers_name));
  refuse_readers(folder.path(), impatient);
}

TEST_CASE("nobody reads while something is built") {
  test::TemporaryFolder folder;
  {
    const RunLock builder(folder / "lock", impatient);
    CHECK_THROWS_WITH(ReaderLock(folder.path(), impatient), Contains("is in use by another job"));
  }
  CHECK_FALSE(std::filesystem::exists(folder / readers_name));
  CHECK(ReaderLock(folder.path(), impatient).notice().empty());
}

TEST_CASE("what dead readers and builders leave behind is in nobody's way") {
  test::TemporaryFolder folder;
  const auto in_child = [](const auto& work) {
    const pid_t child = ::fork();
    if (child == 0) {
      work();
      ::_exit(0);
    }
    ::waitpid(child, nullptr, 0);
  };
  in_child([&] { new ReaderLock(folder.path(), impatient); });
  CHECK_FALSE(std::filesystem::is_empty(folder / readers_name));
  refuse_readers(folder.path(), impatient);
  CHECK_FALSE(std::filesystem::exists(folder / readers_name));
  in_child([&] { new RunLock(folder / "lock", impatient); });
  CHECK_THAT(ReaderLock(folder.path(), impatient).notice(), Contains("is gone"));
}

TEST_CASE("a folder of readers that is a symbolic link is refused") {
  test::TemporaryFolder folder;
  std::filesystem::create_directory(folder / "elsewhere");
  std::filesystem::create_symlink(folder / "elsewhere", folder / readers_name);
  CHECK_THROWS_WITH(ReaderLock(folder.path(), impatient), Contains("is a symbolic link"));
  CHECK_THROWS_WITH(refuse_readers(folder.path(), impatient), Contains("is a symbolic link"));
  CHECK(std::filesystem::is_empty(folder / "elsewhere"));
}
