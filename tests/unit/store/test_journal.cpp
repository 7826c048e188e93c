#include <fstream>
#include <span>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/hash.hpp"
#include "store/journal.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using store::Journal;

TEST_CASE("records come back in order, over several openings") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  for (int run = 0; run < 3; ++run) {
    Journal journal(path, "shard 7");
    journal.append({{"unit", 2 * run}});
    journal.append({{"unit", 2 * run + 1}});
  }
  const auto records = Journal::read(path, "shard 7");
  REQUIRE(records.size() == 6);
  for (std::size_t i = 0; i < 6; ++i) CHECK(records[i].at("unit") == i);
}

TEST_CASE("a journal is not written through a symbolic link") {
  test::TemporaryFolder folder;
  const auto theirs = folder.write("theirs", "text");
  std::filesystem::create_symlink(theirs, folder / "a.journal.0");
  CHECK_THROWS_AS(Journal(folder / "a.journal.0", "shard 7"), core::InputError);
  CHECK(core::read_file(theirs) == "text");
}

TEST_CASE("a kill at any byte loses the last record only, and appending goes on") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  {
    Journal journal(path, "shard 7");
    journal.append({{"unit", 1}});
    journal.append({{"unit", 2}});
  }
  const std::string whole = core::read_file(path);
  const auto first_end = whole.find('\n') + 1;
  for (auto cut = first_end; cut < whole.size(); ++cut) {
    std::ofstream(path, std::ios::binary | std::ios::trunc) << whole.substr(0, cut);
    CHECK(Journal::read(path, "shard 7").size() == 1);
    {
      Journal journal(path, "shard 7");
      journal.append({{"unit", 3}});
    }
    const auto records = Journal::read(path, "shard 7");
    REQUIRE(records.size() == 2);
    CHECK(records[1].at("unit") == 3);
  }
}

TEST_CASE("a kill before the first record leaves a journal that holds nothing") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  { const Journal journal(path, "shard 7"); }
  CHECK(std::filesystem::file_size(path) == 0);
  CHECK(Journal::read(path, "shard 7").empty());
  Journal(path, "shard 7").append({{"unit", 1}});
  CHECK(Journal::read(path, "shard 7").size() == 1);
}

TEST_CASE("a damaged record before the last is an error with its line") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  {
    Journal journal(path, "shard 7");
    for (int i = 0; i < 3; ++i) journal.append({{"unit", i}});
  }
  std::string content = core::read_file(path);
  content[content.find('\n') + 20] ^= 1;
  std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
  CHECK_THROWS_WITH(Journal::read(path, "shard 7"),
                    Catch::Contains("a.journal.0:2: damaged record"));
}

TEST_CASE("a journal that lies where another belongs is damaged") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  {
    Journal journal(path, "shard 7");
    for (int i = 0; i < 2; ++i) journal.append({{"unit", i}});
  }
  CHECK_THROWS_WITH(Journal::read(path, "shard 8"), Catch::Contains("a.journal.0:1: damaged"));
}

TEST_CASE("a record that is no JSON is an error with its line, whatever its checksum says") {
  test::TemporaryFolder folder;
  const std::string record = R"({"unit")";
  const std::string checked = "own\n" + record;
  const auto path = folder.write(
      "a.journal.0", fmt::format("{:016x} {}\n", core::checksum_of(std::span(checked)), record));
  CHECK_THROWS_WITH(Journal::read(path, "own"), Catch::Contains("a.journal.0:1: not valid JSON"));
}

TEST_CASE("journals of several ranks are read together") {
  test::TemporaryFolder folder;
  for (int rank = 0; rank < 3; ++rank) {
    Journal journal(folder / ("shard.journal." + std::to_string(rank)), "own");
    journal.append({{"unit", rank}});
  }
  { Journal other(folder / "other.journal.0", "own"); }
  CHECK(Journal::read_all(folder.path(), "shard.journal.", "own").size() == 3);
  CHECK(Journal::read_all(folder / "none", "shard.journal.", "own").empty());
}

TEST_CASE(
    "a record that does not hold what belongs into the journal is refused by line and field") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.journal.0";
  {
    Journal journal(path, "own");
    journal.append({{"unit", 1}});
    journal.append({{"unit", -1}});
  }
  const auto check = [](const core::JsonField& record) { record.at("unit").number(0, 10); };
  CHECK(Journal::read(path, "own").size() == 2);
  CHECK_THROWS_WITH(Journal::read(path, "own", check),
                    Catch::Contains("a.journal.0:2: field 'record.unit' is -1"));
  CHECK_THROWS_WITH(Journal::read_all(folder.path(), "a.journal", "own", check),
                    Catch::Contains("field 'record.unit' is -1"));
}
