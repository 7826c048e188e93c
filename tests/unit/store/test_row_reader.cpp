// Rows read without HDF5: the same bytes, on another thread, and what is refused.
#include <future>
#include <numeric>

#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "store/hdf5_file.hpp"
#include "store/row_reader.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::store;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t rows = 50;
constexpr std::int64_t columns = 3;

/// A file whose keys, [50, 3] after another dataset, are 0, 1, 2, …
void write_keys(const std::filesystem::path& path) {
  const auto comm = comm::make_self_communicator();
  Hdf5File::create(path, *comm,
                   {{"before", DataType::int64, {7}, {}},
                    {"keys", DataType::float16, {rows, columns}, {}},
                    {"none", DataType::uint8, {0, 4}, {}}});
  std::vector<std::uint16_t> keys(rows * columns);
  std::iota(keys.begin(), keys.end(), std::uint16_t{0});
  auto file = Hdf5File::open_for_writing(path, *comm);
  file.write_rows("keys", 0, std::span<const std::uint16_t>(keys));
  file.close();
}

std::vector<std::uint16_t> read(const RowReader& reader, std::int64_t first, std::int64_t count) {
  std::vector<std::uint16_t> values(count * columns);
  reader.read_bytes(first, std::as_writable_bytes(std::span(values)));
  return values;
}

}  // namespace

TEST_CASE("rows are those that HDF5 reads, on any thread") {
  test::TemporaryFolder folder;
  write_keys(folder / "a.h5");
  const RowReader reader(folder / "a.h5", "keys", DataType::float16);
  CHECK(reader.shape() == std::vector<std::int64_t>{rows, columns});
  const auto all = Hdf5File::open_for_reading(folder / "a.h5").read_all<std::uint16_t>("keys");
  CHECK(read(reader, 0, rows) == all);
  const auto some = std::async(std::launch::async, [&] { return read(reader, 20, 5); }).get();
  CHECK(some == std::vector<std::uint16_t>(all.begin() + 20 * columns, all.begin() + 25 * columns));
  CHECK(read(reader, rows, 0).empty());
}

TEST_CASE("an empty dataset can be asked for its shape") {
  test::TemporaryFolder folder;
  write_keys(folder / "a.h5");
  const RowReader reader(folder / "a.h5", "none", DataType::uint8);
  CHECK(reader.shape() == std::vector<std::int64_t>{0, 4});
  CHECK_NOTHROW(reader.read_bytes(0, {}));
}

TEST_CASE("rows that are not there are refused") {
  test::TemporaryFolder folder;
  write_keys(folder / "a.h5");
  CHECK_THROWS_WITH(RowReader(folder / "none.h5", "keys", DataType::float16),
                    Contains("none.h5: does not exist"));
  CHECK_THROWS_WITH(RowReader(folder / "a.h5", "vectors", DataType::float16),
                    Contains("no dataset 'vectors'"));
  const RowReader reader(folder / "a.h5", "keys", DataType::float16);
  CHECK_THROWS_WITH(read(reader, rows - 1, 2), Contains("does not have the rows"));
  std::filesystem::resize_file(folder / "a.h5", std::filesystem::file_size(folder / "a.h5") / 2);
  CHECK_THROWS_WITH(read(reader, 0, rows), Contains("a.h5: is damaged: it ends before"));
}
