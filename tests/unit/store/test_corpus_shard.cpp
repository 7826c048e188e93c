#include <functional>

#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "store/corpus_shard.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using store::CorpusShard;

namespace {

/// Four sentences in three batches; target lengths 2, 2, 3, 4.
CorpusShard small_shard() {
  CorpusShard shard;
  shard.source_tokens = {5, 0, 6, 0, 7, 8, 0, 9, 0};
  shard.source_starts = {0, 2, 4, 7, 9};
  shard.target_tokens = {1, 0, 2, 0, 3, 4, 0, 5, 6, 7, 0};
  shard.sentence_starts = {0, 2, 4, 7, 11};
  shard.sentence_numbers = {3, 1, 0, 2};
  shard.entry_starts = {9, 3, 0, 5};
  shard.line_numbers = {4, 1, 0, 3};
  shard.batch_starts = {0, 2, 3, 4};
  return shard;
}

}  // namespace

TEST_CASE("a corpus shard comes back as it was written") {
  test::TemporaryFolder folder;
  const auto shard = small_shard();
  const auto manifest = shard.write(folder.path(), "shard-00000");
  CHECK(manifest.at("entries") == 11);
  const auto read = CorpusShard::read(folder.path(), "shard-00000", manifest);
  CHECK(read.target_tokens == shard.target_tokens);
  CHECK(read.batch_starts == shard.batch_starts);
  CHECK(read.source(2) == std::vector<core::TokenId>{7, 8, 0});
  CHECK(read.target(3) == std::vector<core::TokenId>{5, 6, 7, 0});
  CHECK(read.entries_of({1, 3}) == core::Range{4, 11});
  const auto by_entry = read.sentences_by_entry();
  CHECK(read.find_entry(3, by_entry) == 1);
  CHECK(read.find_entry(8, by_entry) == 3);
  CHECK(read.find_entry(11, by_entry) == -1);
}

TEST_CASE("a corpus shard that comes in parts is the same file") {
  test::TemporaryFolder whole, parts;
  const auto shard = small_shard();
  const auto manifest = shard.write(whole.path(), "shard-00000");
  CorpusShard first, second;  // two batches and one
  first.source_tokens = {5, 0, 6, 0, 7, 8, 0};
  first.source_starts = {0, 2, 4};
  first.target_tokens = {1, 0, 2, 0, 3, 4, 0};
  first.sentence_starts = {0, 2, 4};
  first.sentence_numbers = {3, 1, 0};
  first.entry_starts = {9, 3, 0};
  first.line_numbers = {4, 1, 0};
  first.batch_starts = {0, 2};
  second.source_tokens = {9, 0};
  second.source_starts = {7, 9};
  second.target_tokens = {5, 6, 7, 0};
  second.sentence_starts = {7, 11};
  second.sentence_numbers = {2};
  second.entry_starts = {5};
  second.line_numbers = {3};
  second.batch_starts = {3, 4};
  std::vector<const CorpusShard*> left = {nullptr, &second, &first};
  const auto again = CorpusShard::write_parts(parts.path(), "shard-00000", {}, {4, 11, 9, 3}, [&] {
    const CorpusShard* part = left.back();
    left.pop_back();
    return part;
  });
  CHECK(again == manifest);
  CHECK(core::fingerprint_file(parts / "shard-00000.h5") ==
        core::fingerprint_file(whole / "shard-00000.h5"));
}

TEST_CASE("a changed byte in a corpus shard is seen, with the dataset's name") {
  test::TemporaryFolder folder;
  const auto manifest = small_shard().write(folder.path(), "shard-00000");
  {
    const auto alone = comm::make_self_communicator();
    auto file = store::Hdf5File::open_for_writing(folder / "shard-00000.h5", *alone);
    file.write_rows("target_tokens", 5,
                    std::span<const std::uint32_t>(std::vector<std::uint32_t>{9}));
    file.close();
  }
  CHECK_THROWS_WITH(CorpusShard::read(folder.path(), "shard-00000", manifest),
                    Catch::Contains("'target_tokens' is damaged"));
}

TEST_CASE("a corpus shard with right checksums and wrong content is refused, with the field") {
  struct Case {
    const char* message;
    std::function<void(CorpusShard& shard)> change;
  };
  const std::vector<Case> cases = {
      {"'batch_starts' does not start with 0", [](CorpusShard& s) { s.batch_starts[0] = 1; }},
      {"'batch_starts' does not start with 0", [](CorpusShard& s) { s.batch_starts.clear(); }},
      {"'batch_starts' does not ascend", [](CorpusShard& s) { s.batch_starts[1] = 3; }},
      {"'batch_starts' does not ascend", [](CorpusShard& s) { s.batch_starts[1] = INT64_MIN; }},
      {"'batch_starts' does not end with 4", [](CorpusShard& s) { s.batch_starts[3] = 1 << 30; }},
      {"'sentence_starts' does not ascend", [](CorpusShard& s) { s.sentence_starts[2] = 2; }},
      {"'sentence_starts' does not end with 11", [](CorpusShard& s) { s.sentence_starts[4] = 12; }},
      {"'source_starts' does not ascend", [](CorpusShard& s) { s.source_starts[1] = -1; }},
      {"'source_starts' does not end with 9", [](CorpusShard& s) { s.source_starts[4] = 8; }},
      {"a row for each sentence",
       [](CorpusShard& s) { s.sentence_starts.erase(s.sentence_starts.begin() + 1); }},
      {"a row for each sentence", [](CorpusShard& s) { s.line_numbers.pop_back(); }},
      {"a row for each sentence", [](CorpusShard& s) { s.entry_starts.push_back(11); }},
      {"'line_numbers' holds numbers out", [](CorpusShard& s) { s.line_numbers[0] = -1; }},
      {"'entry_starts' holds numbers out",
       [](CorpusShard& s) { s.entry_starts[2] = std::int64_t{1} << 40; }},
      {"'sentence_numbers' holds numbers out", [](CorpusShard& s) { s.sentence_numbers[3] = -5; }},
      {"'source_tokens' holds numbers that are not tokens",
       [](CorpusShard& s) { s.source_tokens[0] = 0xffffffff; }},
      {"'target_tokens' holds numbers that are not tokens",
       [](CorpusShard& s) { s.target_tokens[4] = 1 << 23; }}};
  for (const auto& [message, change] : cases) {
    test::TemporaryFolder folder;
    auto shard = small_shard();
    change(shard);
    const auto manifest = shard.write(folder.path(), "shard-00000");
    CHECK_THROWS_WITH(CorpusShard::read(folder.path(), "shard-00000", manifest),
                      Catch::Contains("shard-00000.h5") && Catch::Contains(message));
  }
}

TEST_CASE("a manifest that does not fit its corpus shard is refused, with the field") {
  test::TemporaryFolder folder;
  const auto good = small_shard().write(folder.path(), "shard-00000");
  const auto refuse = [&](const char* field, const core::Json& value, const char* message) {
    auto manifest = good;
    manifest[core::Json::json_pointer(field)] = value;
    CHECK_THROWS_WITH(CorpusShard::read(folder.path(), "shard-00000", manifest),
                      Catch::Contains(message));
  };
  refuse("/sentences", 5, "'sentences' is 5, not a whole number from 4 to 4");
  refuse("/entries", -11, "'entries' is -11");
  refuse("/batches", "3", "'batches' is \"3\"");
  refuse("/source_tokens", 9.5, "'source_tokens' is 9.5");
  refuse("/units", core::Json::array(), "'units' is empty");
  refuse("/units", 7, "'units' is not an array");
  refuse("/units/0/0/dataset", "keys", "'units' does not name the datasets");
  refuse("/units/0/7", nullptr, "field 'units[0][7]' is not an object");
  refuse("/structure", "none", "field 'structure' is not an object");
  refuse("/structure/bytes", 1e300, "'structure.bytes' is 1e+300");
  refuse("/structure/ranges/0/bytes", std::int64_t{1} << 60, "'structure.ranges[0].bytes' is");
  refuse("/structure/ranges/0/first_byte", -8, "'structure.ranges[0].first_byte' is -8");
}

TEST_CASE("tokens outside a vocabulary are refused with their line") {
  CHECK_NOTHROW(store::require_tokens_below(small_shard(), 10, 8));
  CHECK_THROWS_WITH(store::require_tokens_below(small_shard(), 9, 8),
                    Catch::Contains("line 4 of the corpus holds token 9"));
  CHECK_THROWS_WITH(store::require_tokens_below(small_shard(), 10, 4),
                    Catch::Contains("line 1 of the corpus holds token 4"));
}

TEST_CASE("units are whole batches that fit, or one that does not") {
  CorpusShard shard;
  shard.batch_starts = {0};
  shard.sentence_starts = {0};
  std::vector<std::int64_t> sizes = {store::unit_entries - 1, 1, 1, store::unit_entries + 5, 2, 3};
  for (const auto size : sizes) {
    shard.sentence_starts.push_back(shard.sentence_starts.back() + size);
    shard.batch_starts.push_back(shard.batch_starts.back() + 1);
  }
  using core::Range;
  CHECK(store::cut_units(shard) ==
        std::vector<Range>{Range{0, 2}, Range{2, 3}, Range{3, 4}, Range{4, 6}});
  CorpusShard none;
  none.batch_starts = {0};
  CHECK(store::cut_units(none).empty());
}
