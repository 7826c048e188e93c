#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "store/hdf5_file.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::store;
using Catch::Matchers::Contains;

namespace {
const std::vector<DatasetSpec> two = {
    {"keys", DataType::float16, {10, 4}, {{"description", "vectors"}}},
    {"values", DataType::uint32, {10}, {}}};
}

TEST_CASE("rows come back as they were written, at any offset") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  const auto path = folder / "a.h5";
  Hdf5File::create(path, *comm, two);
  const std::vector<std::uint16_t> keys = {1, 2, 3, 4, 5, 6, 7, 8};
  {
    auto file = Hdf5File::open_for_writing(path, *comm);
    file.write_rows("keys", 3, std::span<const std::uint16_t>(keys));
    file.write_rows("values", 9, std::span<const std::uint32_t>(std::vector<std::uint32_t>{7}));
    file.sync();
    file.close();
  }
  const auto file = Hdf5File::open_for_reading(path);
  CHECK(file.shape("keys", DataType::float16, 2) == std::vector<std::int64_t>{10, 4});
  std::vector<std::uint16_t> got(8);
  file.read_rows("keys", 3, std::span(got));
  CHECK(got == keys);
  CHECK(file.read_all<std::uint32_t>("values")[9] == 7);
}

TEST_CASE("floating-point types of 16 and 32 bits are told apart") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  const std::vector<DatasetSpec> three = {{"half", DataType::float16, {2, 2}, {}},
                                          {"brain", DataType::bfloat16, {2, 2}, {}},
                                          {"full", DataType::float32, {2, 2}, {}}};
  Hdf5File::create(folder / "a.h5", *comm, three);
  auto file = Hdf5File::open_for_writing(folder / "a.h5", *comm);
  const std::vector<float> row = {1.5F, -2};
  file.write_rows("full", 1, std::span<const float>(row));
  for (const auto& spec : three) {
    CHECK(file.type_of(spec.name) == spec.type);
    CHECK(file.bytes_of(spec.name).size() == (spec.name == "full" ? 16 : 8));
    for (const auto& other : three) {
      if (other.type == spec.type) continue;
      CHECK_THROWS_WITH(file.shape(spec.name, other.type, 2), Contains("is of another type"));
    }
  }
  std::vector<float> read(2);
  file.read_rows("full", 1, std::span(read));
  CHECK(read == row);
  file.close();
}

TEST_CASE("the same datasets give the same bytes") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  Hdf5File::create(folder / "a.h5", *comm, two);
  Hdf5File::create(folder / "b.h5", *comm, two);
  CHECK(core::read_file(folder / "a.h5") == core::read_file(folder / "b.h5"));
  CHECK_FALSE(std::filesystem::exists(folder / "a.h5.tmp"));
}

TEST_CASE("files are neither created nor written through symbolic links") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  const auto path = folder / "a.h5";
  const auto theirs = folder.write("theirs", "text");
  std::filesystem::create_symlink(theirs, folder / "a.h5.tmp");
  std::filesystem::create_symlink(theirs, path);
  Hdf5File::create(path, *comm, two);
  CHECK(core::read_file(theirs) == "text");
  CHECK_FALSE(std::filesystem::is_symlink(path));
  std::filesystem::create_symlink(path, folder / "b.h5");
  CHECK_THROWS_WITH(Hdf5File::open_for_writing(folder / "b.h5", *comm),
                    Contains("b.h5: is a symbolic link"));
}

TEST_CASE("what is not there or not HDF5 is refused by name") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  CHECK_THROWS_WITH(Hdf5File::open_for_reading(folder / "none.h5"), Contains("none.h5"));
  core::write_file_durably(folder / "text.h5", "not HDF5");
  CHECK_THROWS_WITH(Hdf5File::open_for_reading(folder / "text.h5"),
                    Contains("not a readable HDF5"));
  CHECK_THROWS_AS(Hdf5File::open_for_writing(folder / "none.h5", *comm), core::Error);
  Hdf5File::create(folder / "a.h5", *comm, two);
  auto file = Hdf5File::open_for_writing(folder / "a.h5", *comm);
  CHECK_THROWS_WITH(file.shape("sentences", DataType::int64, 1),
                    Contains("no dataset 'sentences'"));
  const std::vector<std::uint16_t> row = {1, 2, 3, 4};
  CHECK_THROWS_AS(file.write_rows("keys", 10, std::span<const std::uint16_t>(row)),
                  std::logic_error);
  CHECK_THROWS_AS(file.write_rows("keys", 0, std::span(row).first(3)), std::logic_error);
  CHECK_THROWS_AS(Hdf5File::create(folder / "none" / "a.h5", *comm, two), core::Error);
}

TEST_CASE("a truncated file is refused") {
  test::TemporaryFolder folder;
  const auto comm = comm::make_self_communicator();
  const auto path = folder / "a.h5";
  Hdf5File::create(path, *comm, two);
  std::filesystem::resize_file(path, 500);
  CHECK_THROWS_AS(Hdf5File::open_for_reading(path), core::InputError);
}
