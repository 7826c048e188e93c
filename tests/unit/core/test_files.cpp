#include <chrono>
#include <fstream>
#include <thread>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/file_identity.hpp"
#include "core/files.hpp"
#include "core/parse_json.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

TEST_CASE("durable files replace whole or not at all") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.txt";
  core::write_file_durably(path, "first");
  core::write_file_durably(path, "second");
  CHECK(core::read_file(path) == "second");
  CHECK_THROWS_AS(core::publish_file(path,
                                     [](const auto& temporary) {
                                       std::ofstream(temporary) << "half";
                                       throw core::SystemError("disk full");
                                     }),
                  core::SystemError);
  CHECK(core::read_file(path) == "second");
}

TEST_CASE("errors of files name them") {
  test::TemporaryFolder folder;
  CHECK_THROWS_WITH(core::read_file(folder / "none.txt"), Contains("none.txt"));
  CHECK_THROWS_WITH(core::read_file(folder.path()), Contains("is not a regular file but a folder"));
  core::write_file_durably(folder / "bad.json", "{\"a\": ");
  CHECK_THROWS_WITH(core::read_json(folder / "bad.json"), Contains("bad.json: not valid JSON"));
  CHECK_THROWS_AS(core::write_file_durably(folder / "none" / "a.txt", "x"), core::SystemError);
}

TEST_CASE("JSON may be nested only so deep that no stack overflows") {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  CHECK(core::parse_json(nested(core::deepest_json), "a.json").dump() ==
        nested(core::deepest_json));
  CHECK_THROWS_WITH(core::parse_json(nested(core::deepest_json + 1), "a.json"),
                    Contains("a.json: nested deeper than 100"));
  CHECK_THROWS_AS(core::parse_json(nested(1'000'000), "a.json"), core::InputError);
  const std::string quoted = R"(["\"[)" + std::string(200, '{') + R"(", "\\"])";
  CHECK(core::parse_json(quoted, "a.json").size() == 2);
}

TEST_CASE("an edit whose modification time is set back changes a stamp") {
  test::TemporaryFolder folder;
  const auto path = folder.write("model.bin", "one");
  const auto stamp = core::stamp_file(path);
  const auto modified = core::fs::last_write_time(path);
  const auto edit = [&] {  // clocks of file systems have a resolution of some milliseconds
    std::fstream(path, std::ios::in | std::ios::out) << "two";
    core::fs::last_write_time(path, modified);
    return core::file_identity(path).at("changed_ns") != stamp.at("changed_ns");
  };
  while (!edit()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  CHECK(core::file_identity(path).at("modified_ns") == stamp.at("modified_ns"));
  CHECK(core::stamp_file(path, stamp).at("fingerprint") == core::fingerprint_file(path));
  CHECK(core::stamp_file(path, stamp).at("fingerprint") != stamp.at("fingerprint"));
}

TEST_CASE("a stamp is taken over only for an unchanged file") {
  test::TemporaryFolder folder;
  const auto path = folder / "corpus.txt";
  core::write_file_durably(path, "one\n");
  auto stamp = core::stamp_file(path);
  const auto true_fingerprint = stamp.at("fingerprint");
  stamp["fingerprint"] = "known";
  CHECK(core::stamp_file(path, stamp).at("fingerprint") == "known");
  for (const char* name : {"bytes", "modified_ns", "changed_ns", "inode", "device"}) {
    core::Json other = stamp;
    other[name] = stamp.at(name).get<std::int64_t>() + 1;
    CHECK(core::stamp_file(path, other).at("fingerprint") == true_fingerprint);
    other.erase(name);  // an earlier version's
    CHECK(core::stamp_file(path, other).at("fingerprint") == true_fingerprint);
  }
  stamp["fingerprint"] = 7;
  CHECK(core::stamp_file(path, stamp).at("fingerprint") == true_fingerprint);
  CHECK_THROWS_AS(core::stamp_file(folder.path()), core::InputError);
}
