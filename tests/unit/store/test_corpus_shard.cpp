#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
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
  CHECK(read.find_entry(3) == 1);
  CHECK(read.find_entry(8) == 3);
  CHECK(read.find_entry(11) == -1);
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
