#include "core/error.hpp"
#include "core/files.hpp"
#include "core/hash.hpp"
#include "store/shard_file.hpp"
#include "support/mpi_main.hpp"
#include "support/shared_folder.hpp"

using namespace knnseq;
using store::DataType;
using store::ShardFile;

namespace {

constexpr std::int64_t units = 7;
constexpr std::int64_t rows_per_unit = 100;
const std::vector<store::DatasetSpec> datasets = {
    {"keys", DataType::float16, {units * rows_per_unit, 8}, {{"description", "vectors"}}},
    {"values", DataType::uint32, {units * rows_per_unit}, {}}};

void write_unit(ShardFile& file, std::int64_t unit) {
  std::vector<std::uint16_t> keys(rows_per_unit * 8);
  std::vector<std::uint32_t> values(rows_per_unit);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    keys[i] = static_cast<std::uint16_t>(core::mix64(static_cast<std::uint64_t>(unit) * 1000 + i));
  }
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::uint32_t>(unit);
  file.write("keys", unit * rows_per_unit, std::span<const std::uint16_t>(keys));
  file.write("values", unit * rows_per_unit, std::span<const std::uint32_t>(values));
  file.commit(unit);
}

/// Every rank does its units among [begin, end) that are not done.
void work(ShardFile& file, std::int64_t end) {
  auto& world = test::world();
  for (std::int64_t unit = world.rank(); unit < end; unit += world.size()) {
    if (!file.has(unit)) write_unit(file, unit);
  }
}

}  // namespace

TEST_CASE("several ranks fill a shard; interrupted and resumed it has the same bytes") {
  auto& world = test::world();
  const auto whole = test::shared_folder("whole");
  auto file = ShardFile::open(whole, "shard", world, datasets);
  work(file, units);
  const auto ranges = file.finish(world, units);
  REQUIRE_ALL(ranges.size() == units);

  const auto parts = test::shared_folder("parts");
  for (const std::int64_t end : {2, 2, 5, 7}) {
    auto part = ShardFile::open(parts, "shard", world, datasets);
    work(part, end);
    if (end == units) {
      REQUIRE_ALL(part.finish(world, units) == ranges);
    } else {
      part.close();
    }
  }
  REQUIRE_ALL(core::read_file(whole / "shard.h5") == core::read_file(parts / "shard.h5"));

  // What was written is there, and its checksums hold; a changed byte is seen.
  const auto reader = store::Hdf5File::open_for_reading(whole / "shard.h5");
  std::vector<std::uint16_t> keys(rows_per_unit * 8);
  reader.read_rows("keys", 3 * rows_per_unit, std::span(keys));
  REQUIRE_ALL(keys[5] == static_cast<std::uint16_t>(core::mix64(3005)));
  CHECK_NOTHROW(store::verify_range("shard.h5", ranges[3][0], std::as_bytes(std::span(keys))));
  keys[17] ^= 1;
  CHECK_THROWS_WITH(store::verify_range("shard.h5", ranges[3][0], std::as_bytes(std::span(keys))),
                    Catch::Contains("'keys' is damaged from row 300 on"));
  world.barrier();
  if (world.is_root()) {
    ShardFile::remove_journals(whole, "shard");
    CHECK(store::files_with_prefix(whole, "shard.journal").empty());
    std::filesystem::remove_all(whole);
    std::filesystem::remove_all(parts);
  }
}

TEST_CASE("journals without their file are not believed") {
  auto& world = test::world();
  const auto folder = test::shared_folder("orphans");
  if (world.is_root()) {
    store::Journal journal(folder / "shard.journal.0000");
    journal.append({{"unit", 0}, {"ranges", core::Json::array()}});
  }
  world.barrier();
  auto file = ShardFile::open(folder, "shard", world, datasets);
  REQUIRE_ALL(file.units_done() == 0);
  file.close();
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
}

TEST_CASE("a shard of another shape is refused on all ranks") {
  auto& world = test::world();
  const auto folder = test::shared_folder("shape");
  ShardFile::open(folder, "shard", world, datasets).close();
  auto other = datasets;
  other[0].shape = {5, 8};
  bool refused = false;
  try {
    ShardFile::open(folder, "shard", world, other).close();
  } catch (const core::Error& e) {
    refused = std::string(e.what()).find("another shape") != std::string::npos;
  }
  REQUIRE_ALL(refused);
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
}
