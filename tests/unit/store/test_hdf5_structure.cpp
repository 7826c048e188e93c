#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "store/hdf5_file.hpp"
#include "store/hdf5_structure.hpp"
#include "store/verify_rows.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::store;
using Catch::Matchers::Contains;

namespace {

const std::vector<DatasetSpec> datasets = {
    {"keys", DataType::float16, {50, 4}, {{"description", "vectors"}}},
    {"none", DataType::int64, {0}, {}},
    {"values", DataType::uint32, {50}, {}}};

/// Rows of both datasets in two units; returns the units.
core::Json fill(const std::filesystem::path& path) {
  const auto alone = comm::make_self_communicator();
  auto file = Hdf5File::open_for_writing(path, *alone);
  core::Json units = core::Json::array();
  for (const std::int64_t first : {0, 25}) {
    const std::vector<std::uint16_t> keys(100, static_cast<std::uint16_t>(first + 1));
    const std::vector<std::uint32_t> values(25, static_cast<std::uint32_t>(first + 2));
    const auto write = [&](const char* name, std::span<const std::byte> bytes) {
      file.write_bytes(name, first, bytes);
      return core::Json{{"dataset", name},
                        {"first_row", first},
                        {"bytes", bytes.size()},
                        {"checksum", range_checksum(bytes)}};
    };
    units.push_back({write("keys", std::as_bytes(std::span(keys))),
                     write("values", std::as_bytes(std::span(values)))});
  }
  file.close();
  return units;
}

}  // namespace

TEST_CASE("structure and rows together see a change of any byte of a file") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  Hdf5File::create(path, *comm::make_self_communicator(), datasets);
  const auto structure = describe_structure(path);
  const auto units = fill(path);
  CHECK(describe_structure(path) == structure);  // writing rows does not change it
  const auto whole = core::read_file(path);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto changed = whole;
    changed[at] ^= 0x10;
    core::write_file_durably(path, changed);
    std::size_t damages = 0;
    try {
      verify_structure(path, structure);
      damages = damaged_rows(path, units).size();
    } catch (const core::InputError& e) {
      CHECK_THAT(e.what(), Contains("a.h5: is damaged: its HDF5 structure in the bytes"));
      damages = 1;
    }
    CHECK(damages == 1);
  }
  core::write_file_durably(path, whole);
  CHECK_NOTHROW(verify_structure(path, structure));
  CHECK(damaged_rows(path, units).empty());
}

TEST_CASE("a truncated, empty or missing file is refused before HDF5 opens it") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  Hdf5File::create(path, *comm::make_self_communicator(), datasets);
  const auto structure = describe_structure(path);
  const auto size = std::filesystem::file_size(path);
  for (const std::uintmax_t less : {size - 1, std::uintmax_t{0}}) {
    std::filesystem::resize_file(path, less);
    CHECK_THROWS_WITH(verify_structure(path, structure), Contains("instead of"));
  }
  std::filesystem::remove(path);
  CHECK_THROWS_WITH(verify_structure(path, structure), Contains("does not exist"));
}

TEST_CASE("ranges that the file does not have are damage, and take no memory") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  Hdf5File::create(path, *comm::make_self_communicator(), datasets);
  const auto good = fill(path);
  const auto damage = [&](const char* field, const core::Json& value) {
    auto units = good;
    units[1][0][field] = value;
    const auto lines = damaged_rows(path, units);
    return lines.size() == 1 ? lines.front() : "";
  };
  CHECK_THAT(damage("bytes", std::int64_t{1} << 60), Contains("'keys' does not have the 1152921"));
  CHECK_THAT(damage("bytes", 201), Contains("'keys' does not have the 201 bytes from row 25 on"));
  CHECK_THAT(damage("first_row", 26),
             Contains("'keys' does not have the 200 bytes from row 26 on"));
  CHECK_THAT(damage("first_row", -1), Contains("from row -1 on"));
  CHECK_THAT(damage("dataset", "none"), Contains("'none' does not have the 200 bytes"));
  CHECK_THAT(damage("dataset", "../a"), Contains("no dataset '../a'"));

  auto structure = describe_structure(path);
  structure["ranges"][0]["bytes"] = std::int64_t{1} << 60;
  CHECK_THROWS_WITH(verify_structure(path, structure),
                    Contains("field 'structure.ranges[0].bytes' is 1152921504606846976"));
}
