#include <cstring>
#include <numeric>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "core/files.hpp"
#include "store/npy_file.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;

TEST_CASE("a .npy file has NumPy's header and the values") {
  const auto size = GENERATE(0, 3, 100'000);
  const test::TemporaryFolder folder;
  const auto path = folder / "values.npy";
  std::vector<std::uint32_t> values(size);
  std::iota(values.begin(), values.end(), 4'000'000'000u);
  {
    store::NpyFile file(path, size);
    REQUIRE(file.values().size() == values.size());
    std::copy(values.rbegin(), values.rend(), file.values().rbegin());  // from the end
    file.close();
  }
  const std::string content = core::read_file(path);
  REQUIRE(content.size() == 128 + values.size() * 4);
  CHECK(content.substr(0, 10) == std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  const std::string dict =
      "{'descr': '<u4', 'fortran_order': False, 'shape': (" + std::to_string(size) + ",), }";
  CHECK(content.substr(10, dict.size()) == dict);
  CHECK(content.substr(10 + dict.size(), 128 - 10 - dict.size()) ==
        std::string(128 - 11 - dict.size(), ' ') + "\n");
  std::vector<std::uint32_t> read(values.size());
  if (size > 0) std::memcpy(read.data(), content.data() + 128, read.size() * 4);
  CHECK(read == values);
}

TEST_CASE("a .npy file in no folder is an error") {
  const test::TemporaryFolder folder;
  CHECK_THROWS_AS(store::NpyFile(folder / "none/values.npy", 3), core::SystemError);
}
