#include <cerrno>
#include <string>

#include <catch2/catch.hpp>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/input_file.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Contains;

TEST_CASE("only regular files are opened, and none of the others is waited for") {
  const test::TemporaryFolder folder;
  const auto pipe = folder / "pipe.json";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  const auto address = folder / "socket.json";
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  address.string().copy(name.sun_path, sizeof name.sun_path - 1);
  const int listening = ::socket(AF_UNIX, SOCK_STREAM, 0);
  REQUIRE(::bind(listening, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  for (const auto& [path, kind] : {std::pair<std::string, std::string>{pipe, "a pipe"},
                                   {address, "a socket"},
                                   {"/dev/zero", "a device"},
                                   {folder.path(), "a folder"}}) {
    const auto message = Contains(path + ": is not a regular file but " + kind);
    CHECK_THROWS_WITH(core::InputFile(path), message);
    CHECK_THROWS_WITH(core::read_json(path), message);
    CHECK_THROWS_WITH(core::read_file(path), message);
    CHECK_THROWS_WITH(core::fingerprint_file(path), message);
    CHECK_THROWS_WITH(core::stamp_file(path), message);
  }
  ::close(listening);
  CHECK_THROWS_WITH(core::InputFile(folder / "none"), Contains("none: cannot be opened (no such"));
}

TEST_CASE("files are read from where one stands to their end") {
  const test::TemporaryFolder folder;
  core::InputFile file(folder.write("a", "0123456789"));
  CHECK(file.bytes() == 10);
  std::string out(4, '.');
  CHECK((file.read(out) == 4 && out == "0123"));
  file.seek(7);
  CHECK((file.read(out) == 3 && out == "7893"));
  CHECK(file.read(out) == 0);
  CHECK(core::read_head(file.path(), 4) == "0123");
  CHECK(core::read_head(file.path(), 40) == "0123456789");
  // What grows while it is read, or says nothing of its size, is read to its end.
  CHECK(core::read_file("/proc/self/status").size() > 100);
}

TEST_CASE("a file that is read whole has a bound") {
  const test::TemporaryFolder folder;
  const auto path = folder.write("a", std::string(1 << 20, 'x'));
  CHECK(core::read_whole(path, 1 << 20).size() == 1 << 20);
  CHECK_THROWS_WITH(core::read_whole(path, (1 << 20) - 1), Contains("a: has more than 0 MiB"));
  // Larger than memory, and nothing on the disk.
  const auto hollow = folder.write("hollow.json", "{");
  std::filesystem::resize_file(hollow, std::uintmax_t{1} << 42);
  CHECK_THROWS_WITH(core::read_json(hollow), Contains("hollow.json: has more than 256 MiB"));
}

TEST_CASE("a model's file that is something else is called so") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_WITH(core::read_json(folder.write(
                        "a.json", "version https://git-lfs.github.com/spec/v1\noid sha256:0\n")),
                    Contains("a.json: is a pointer of git-lfs"));
  CHECK_THROWS_WITH(core::read_json(folder.write("a.json", "<!doctype html><html>")),
                    Contains("a.json: is a web page"));
  CHECK(core::read_json(folder.write("a.json", "\xEF\xBB\xBF{\"a\": 1}")) ==
        core::Json({{"a", 1}}));
}
