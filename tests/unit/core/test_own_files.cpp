#include <cerrno>
#include <fstream>

#include <catch2/catch.hpp>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/files.hpp"
#include "core/own_files.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;
namespace fs = std::filesystem;

namespace {
int folder_error = 0;  ///< what fsync of a folder fails with
}

/// Stands before the C library's in this program.
extern "C" int fsync(int fd) {
  struct stat info {};
  if (folder_error != 0 && ::fstat(fd, &info) == 0 && S_ISDIR(info.st_mode)) {
    errno = folder_error;
    return -1;
  }
  return static_cast<int>(::syscall(SYS_fsync, fd));
}

TEST_CASE("files are not opened through symbolic links, and what links lead to stays as it is") {
  test::TemporaryFolder folder;
  const auto theirs = folder.write("theirs", "text");
  fs::create_symlink(theirs, folder / "link");
  for (const int flags : {O_RDONLY, O_WRONLY | O_CREAT | O_TRUNC, O_WRONLY | O_CREAT | O_APPEND}) {
    CHECK_THROWS_AS(core::open_own_file(folder / "link", flags), core::InputError);
    CHECK_THROWS_WITH(core::open_own_file(folder / "link", flags),
                      Contains((folder / "link").string() + ": is a symbolic link"));
  }
  fs::create_symlink(folder / "nowhere", folder / "dangling");
  CHECK_THROWS_AS(core::open_own_file(folder / "dangling", O_WRONLY | O_CREAT), core::InputError);
  CHECK_FALSE(fs::exists(folder / "nowhere"));
  CHECK_THROWS_AS(core::open_own_file(folder / "none", O_RDONLY), core::SystemError);
  ::close(core::create_own_file(folder / "link"));
  CHECK(fs::file_size(folder / "link") == 0);
  CHECK_FALSE(fs::is_symlink(folder / "link"));
  CHECK(core::read_file(theirs) == "text");
}

TEST_CASE("temporary files of durable ones are made anew") {
  test::TemporaryFolder folder;
  const auto theirs = folder.write("theirs", "text");
  fs::create_symlink(theirs, folder / "a.txt.tmp");
  fs::create_symlink(theirs, folder / "a.txt");
  core::write_file_durably(folder / "a.txt", "mine");
  CHECK(core::read_file(theirs) == "text");
  CHECK(core::read_file(folder / "a.txt") == "mine");
  CHECK_FALSE(fs::is_symlink(folder / "a.txt"));
  fs::create_hard_link(theirs, folder / "b.txt.tmp");
  core::write_file_durably(folder / "b.txt", "mine");
  CHECK(core::read_file(theirs) == "text");
}

TEST_CASE("folders are made below a base, and never through a link") {
  test::TemporaryFolder folder;
  core::make_own_folders(folder.path(), folder / "a/b/c");
  core::make_own_folders(folder.path(), folder / "a/b/c");  // there already
  CHECK(fs::is_directory(folder / "a/b/c"));
  fs::create_directory(folder / "theirs");
  fs::create_directory_symlink(folder / "theirs", folder / "a/link");
  CHECK_THROWS_WITH(core::make_own_folders(folder.path(), folder / "a/link/d"),
                    Contains((folder / "a/link").string() + ": is a symbolic link"));
  CHECK_THROWS_AS(core::refuse_links(folder.path(), folder / "a/link/d"), core::InputError);
  CHECK_NOTHROW(core::refuse_links(folder / "a/link", folder / "a/link/none"));  // the base may be
  CHECK(fs::is_empty(folder / "theirs"));
  folder.write("file", "");
  CHECK_THROWS_AS(core::make_own_folders(folder.path(), folder / "file/d"), core::InputError);
  CHECK_THROWS_AS(core::make_own_folders(folder.path(), folder / "../d"), std::logic_error);
}

TEST_CASE("a file system that cannot fsync folders is tolerated and remembered, others are not") {
  test::TemporaryFolder folder;
  core::sync_folder(folder.path());
  CHECK(core::unsynced_folder().empty());
  folder_error = EIO;
  CHECK_THROWS_AS(core::write_file_durably(folder / "a.txt", "one"), core::SystemError);
  CHECK(core::unsynced_folder().empty());
  for (const int error : {EINVAL, EOPNOTSUPP, ENOSYS, EBADF}) {
    folder_error = error;
    CHECK_NOTHROW(core::write_file_durably(folder / "a.txt", "two"));
  }
  folder_error = 0;
  CHECK(core::unsynced_folder() == folder.path().string());
  CHECK(core::read_file(folder / "a.txt") == "two");
}
