#include "core/error.hpp"
#include "core/files.hpp"
#include "core/hash.hpp"
#include "store/hdf5_structure.hpp"
#include "store/shard_file.hpp"
#include "store/verify_rows.hpp"
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
  auto file = ShardFile::open({whole, "shard", "test"}, world, datasets);
  work(file, units);
  const auto committed = file.finish(world, units);
  const auto& ranges = committed.at("units");
  REQUIRE_ALL(ranges.size() == units);

  // A path that MPI-IO would not take as it is (MpiPath of store/hdf5_file.cpp).
  const auto parts = test::shared_folder("10:00:00-" + std::string(200, 'p'));
  for (const std::int64_t end : {2, 2, 5, 7}) {
    auto part = ShardFile::open({parts, "shard", "test"}, world, datasets);
    work(part, end);
    if (end == units) {
      REQUIRE_ALL(part.finish(world, units) == committed);
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
    store::Journal journal(folder / "shard.journal.0000", "test/shard");
    journal.append({{"unit", 0}, {"ranges", core::Json::array()}});
  }
  world.barrier();
  auto file = ShardFile::open({folder, "shard", "test"}, world, datasets);
  REQUIRE_ALL(!file.has(0));
  file.close();
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
}

TEST_CASE("a shard of another shape is refused on all ranks") {
  auto& world = test::world();
  const auto folder = test::shared_folder("shape");
  ShardFile::open({folder, "shard", "test"}, world, datasets).close();
  auto other = datasets;
  other[0].shape = {5, 8};
  bool refused = false;
  try {
    ShardFile::open({folder, "shard", "test"}, world, other).close();
  } catch (const core::Error& e) {
    refused = std::string(e.what()).find("another shape") != std::string::npos;
  }
  REQUIRE_ALL(refused);
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
}

TEST_CASE("damage between two runs is refused on all ranks, with the file and the bytes") {
  auto& world = test::world();
  const auto change = [&](const std::filesystem::path& path, std::size_t at) {
    world.barrier();
    if (world.is_root()) {
      auto bytes = core::read_file(path);
      bytes.at(at) ^= 4;
      core::write_file_durably(path, bytes);
    }
    world.barrier();
  };
  const auto refusal = [&](const std::filesystem::path& folder, const std::string& owner) {
    try {
      ShardFile::open({folder, "shard", owner}, world, datasets).close();
    } catch (const core::Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const auto folder = test::shared_folder("damage");
  const auto begin = [&] {
    auto file = ShardFile::open({folder, "shard", "test"}, world, datasets);
    work(file, 4);
    file.close();
  };
  begin();
  REQUIRE_ALL(refusal(folder, "test").empty());
  REQUIRE_ALL(refusal(folder, "other").find("shard.structure: is damaged") != std::string::npos);
  change(folder / "shard.h5", 9);  // in the superblock
  REQUIRE_ALL(
      refusal(folder, "test").find("shard.h5: is damaged: its HDF5 structure in the bytes 0") !=
      std::string::npos);
  change(folder / "shard.h5", 9);  // back again
  change(folder / "shard.journal.0000", 30);
  const auto text = refusal(folder, "test");
  const bool many =
      world.size() < 4;  // else the record is the last one, and its unit is done again
  REQUIRE_ALL(text.empty() == !many);
  world.barrier();
  if (world.is_root()) std::filesystem::remove_all(folder);
}
