// Datasets that HDF5 reads without complaint, though this program has not written them.
#include <fstream>
#include <functional>

#include <catch2/catch.hpp>
#include <hdf5.h>

#include "core/error.hpp"
#include "store/hdf5_file.hpp"
#include "store/row_reader.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::store;
using Catch::Matchers::Contains;

namespace {

/// A file whose dataset "keys" `make` is to make.
void write_file(const std::filesystem::path& path, const std::function<void(hid_t file)>& make) {
  const hid_t file = H5Fcreate(path.c_str(), H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  REQUIRE(file >= 0);
  make(file);
  REQUIRE(H5Fclose(file) >= 0);
}

/// Makes the dataset with some bytes in it.
void add(hid_t file, hid_t type, const std::vector<hsize_t>& shape,
         hid_t properties = H5P_DEFAULT) {
  const hid_t space = H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr);
  const hid_t dataset = H5Dcreate2(file, "keys", type, space, H5P_DEFAULT, properties, H5P_DEFAULT);
  REQUIRE(dataset >= 0);
  std::size_t bytes = H5Tget_size(type);
  for (const auto extent : shape) bytes *= extent;
  const std::vector<std::byte> values(bytes);
  CHECK(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) >= 0);
  CHECK(H5Dclose(dataset) >= 0);
  CHECK(H5Sclose(space) >= 0);
}

void add_chunked(hid_t file, bool compressed) {
  const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
  const hsize_t chunk[] = {4, 3};
  H5Pset_chunk(properties, 2, chunk);
  if (compressed) H5Pset_shuffle(properties);
  add(file, H5T_STD_I64LE, {4, 3}, properties);
  H5Pclose(properties);
}

}  // namespace

TEST_CASE("a dataset that is elsewhere, of another type or shape is refused by name") {
  const test::TemporaryFolder folder;
  const auto path = folder / "a.h5";
  const auto other = folder / "other.h5";
  write_file(other, [](hid_t file) { add(file, H5T_STD_I64LE, {4, 3}); });
  struct Case {
    const char* message;
    std::function<void(hid_t file)> make;
  };
  const std::vector<Case> cases = {
      {"no dataset 'keys'", [](hid_t) {}},
      {"link to elsewhere",
       [&](hid_t file) {
         H5Lcreate_external(other.c_str(), "keys", file, "keys", H5P_DEFAULT, H5P_DEFAULT);
       }},
      {"link to elsewhere",
       [](hid_t file) { H5Lcreate_soft("/keys", file, "keys", H5P_DEFAULT, H5P_DEFAULT); }},
      {"is not a dataset",
       [](hid_t file) {
         H5Gclose(H5Gcreate2(file, "keys", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
       }},
      {"in one piece in the file",
       [&](hid_t file) {
         const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
         H5Pset_external(properties, (folder / "raw").c_str(), 0, 96);
         add(file, H5T_STD_I64LE, {4, 3}, properties);
         H5Pclose(properties);
       }},
      {"in one piece in the file", [](hid_t file) { add_chunked(file, false); }},
      {"in one piece in the file", [](hid_t file) { add_chunked(file, true); }},
      {"in one piece in the file",
       [](hid_t file) {
         const hid_t properties = H5Pcreate(H5P_DATASET_CREATE);
         H5Pset_layout(properties, H5D_COMPACT);
         add(file, H5T_STD_I64LE, {4, 3}, properties);
         H5Pclose(properties);
       }},
      {"of another type",
       [](hid_t file) {
         add(file, H5T_IEEE_F64LE, {4, 3});
       }},
      {"of another type",
       [](hid_t file) {
         add(file, H5T_STD_I64BE, {4, 3});
       }},
      {"of another type",
       [](hid_t file) {
         add(file, H5T_STD_U64LE, {4, 3});
       }},
      {"of another type",
       [](hid_t file) {
         add(file, H5T_STD_U32LE, {4, 3});
       }},
      {"1 dimensions instead of 2", [](hid_t file) { add(file, H5T_STD_I64LE, {4}); }},
      {"neither one dimension nor two", [](hid_t file) { add(file, H5T_STD_I64LE, {}); }},
      {"neither one dimension nor two",
       [](hid_t file) {
         add(file, H5T_STD_I64LE, {4, 3, 1});
       }},
      {"not whole",
       [](hid_t file) {
         const hsize_t shape[] = {4, 3};
         const hid_t space = H5Screate_simple(2, shape, nullptr);
         H5Dclose(
             H5Dcreate2(file, "keys", H5T_STD_I64LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
         H5Sclose(space);
       }},
      {"larger than the file", [](hid_t file) {
         const hsize_t shape[] = {hsize_t{1} << 60, 3};
         const hid_t space = H5Screate_simple(2, shape, nullptr);
         H5Dclose(
             H5Dcreate2(file, "keys", H5T_STD_U8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
         H5Sclose(space);
       }}};
  for (const auto& [message, make] : cases) {
    write_file(path, make);
    CHECK_THROWS_WITH(RowReader(path, "keys", DataType::int64),
                      Contains(path.string()) && Contains("'keys'") && Contains(message));
    const auto file = Hdf5File::open_for_reading(path);
    std::vector<std::int64_t> values(3);
    if (std::string(message).find("dimensions") == std::string::npos) {
      CHECK_THROWS_AS(file.read_rows("keys", 0, std::span(values)), core::InputError);
      CHECK_THROWS_AS(file.read_all<std::int64_t>("keys"), core::InputError);
    }
  }
  const auto file = Hdf5File::open_for_reading(other);
  CHECK(file.read_all<std::int64_t>("keys") == std::vector<std::int64_t>(12, 0));
  for (const char* name : {"", ".", "/", "/keys", "x/../keys"}) {
    CHECK_THROWS_WITH(file.bytes_of(name), Contains("no dataset"));
  }
  std::vector<std::int64_t> values(3);
  for (const std::int64_t first : {std::int64_t{-1}, std::int64_t{4}, INT64_MAX}) {
    CHECK_THROWS_WITH(file.read_rows("keys", first, std::span(values)), Contains("does not have"));
  }
  std::vector<std::byte> part(10);
  CHECK_THROWS_WITH(file.read_bytes("keys", 0, part), Contains("does not have the 10 bytes"));
}
