// What arrays of other programs are taken for, and what is refused.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/import/foreign_store.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::stages;
using Catch::Matchers::Contains;

namespace {

constexpr std::int64_t width = 3;
constexpr std::int64_t vocabulary = 10;

template <class T>
std::string bytes(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A .npy file of version 1.0.
std::string npy(const std::string& dict, const std::string& content) {
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(dict.size());
  header += '\0';
  return header + dict + content;
}

std::string dict(const std::string& descr, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }\n";
}

const std::vector<float> two_keys = {1, 2, 3, 4, 5, 6};
const std::vector<std::int64_t> two_values = {7, 9};

struct Files {
  test::TemporaryFolder folder;

  ForeignStore open(std::int64_t entries = 0) const {
    return {ImportOptions{{folder / "keys.npy"}, {folder / "vals.npy"}, {}, entries},
            {width, vocabulary}};
  }
  std::string refusal(std::int64_t entries = 0) const {
    try {
      const auto store = open(entries);
      std::vector<std::byte> keys(
          static_cast<std::size_t>(store.entries() * width * bytes_of(store.key_type())));
      store.read_keys({0, store.entries()}, keys);
      store.read_values({0, store.entries()});
    } catch (const core::InputError& e) {
      return e.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("a store is read whatever tells its shape") {
  Files files;
  std::string origin = "numpy";
  SECTION("headers") {
    files.folder.write("keys.npy", npy(dict("<f4", "(2, 3)"), bytes(two_keys)));
    files.folder.write("vals.npy", npy(dict("<i8", "(2, 1)"), bytes(two_values)));
  }
  SECTION("the sizes of files") {
    origin = "adaptive-knn-mt";
    files.folder.write("keys.npy", bytes(two_keys));
    files.folder.write("vals.npy", bytes(two_values));
  }
  SECTION("a config.json, with room to spare in the files") {
    origin = "knn-box";
    files.folder.write("config.json", R"({"data_list": ["keys", "vals"], "data_infos": {
        "keys": {"name": "keys", "shape": [2, 3], "dtype": "torch.float32"},
        "vals": {"name": "vals", "shape": [2], "dtype": "<class 'int'>"}}})");
    files.folder.write("keys.npy", bytes(two_keys) + std::string(60, 'x'));
    files.folder.write("vals.npy", bytes(two_values) + std::string(8, 'x'));
  }
  const auto store = files.open();
  CHECK(store.entries() == 2);
  CHECK(store.key_type() == KeyType::fp32);
  CHECK(store.describe().at("from") == origin);
  std::vector<float> key(3);
  store.read_keys({1, 2}, std::as_writable_bytes(std::span(key)));
  CHECK(key == std::vector<float>{4, 5, 6});
  CHECK(store.read_values({0, 2}) == std::vector<std::uint32_t>{7, 9});
  CHECK(files.open(1).entries() == 1);
  CHECK_THROWS_WITH(files.open(3), Contains("3 are more than the 2"));
}

TEST_CASE("arrays that do not fit are refused by file and row") {
  const Files files;
  const auto keys = [&](const std::string& head, const std::string& content) {
    files.folder.write("keys.npy", npy(head, content));
  };
  const auto values = [&](const std::string& head, const std::string& content) {
    files.folder.write("vals.npy", npy(head, content));
  };
  keys(dict("<f4", "(2, 3)"), bytes(two_keys));
  values(dict("<i8", "(2,)"), bytes(two_values));
  CHECK(files.refusal().empty());

  values(dict("|O", "(2,)"), "pickle");
  CHECK_THAT(files.refusal(), Contains("vals.npy") && Contains("pickled"));
  values(dict(">i8", "(2,)"), bytes(two_values));
  CHECK_THAT(files.refusal(), Contains("type '>i8'"));
  values(dict("<i8", "(2, 2)"), bytes(two_keys) + bytes(two_keys));
  CHECK_THAT(files.refusal(), Contains("2 columns"));
  values(dict("<i8", "(3,)"), bytes(two_values));
  CHECK_THAT(files.refusal(), Contains("bytes; 3 rows"));
  values("no dict at all", "");
  CHECK_THAT(files.refusal(), Contains("not that of one plain array"));
  values(dict("<i8", "(99999999999999999999,)"), "");
  CHECK_THAT(files.refusal(), Contains("states a size"));
  values(dict("<i8", "(2,)"), bytes(std::vector<std::int64_t>{7, 10}));
  CHECK_THAT(files.refusal(), Contains("row 1 holds token 10, outside"));
  values(dict("<i8", "(2,)"), bytes(std::vector<std::int64_t>{-1, 3}));
  CHECK_THAT(files.refusal(), Contains("row 0 holds token -1"));

  values(dict("<i8", "(2,)"), bytes(two_values));
  keys(dict("<f4", "(2, 3)"), bytes(std::vector<float>{1, 2, 3, 0, 0, 0}));
  CHECK_THAT(files.refusal(), Contains("row 1 holds zeros only"));
  CHECK(files.refusal(1).empty());
  keys(dict("<f4", "(2, 3)"), bytes(std::vector<float>{1, INFINITY, 3, 4, 5, 6}));
  CHECK_THAT(files.refusal(), Contains("row 0 holds a number that is not finite"));
  keys("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }\n", bytes(two_keys));
  CHECK_THAT(files.refusal(), Contains("column by column"));
  keys(dict("<f4", "(3, 2)"), bytes(two_keys));
  CHECK_THAT(files.refusal(), Contains("width 2, the model's are 3 wide"));
  keys(dict("<f8", "(2, 3)"), std::string(48, 'x'));
  CHECK_THAT(files.refusal(), Contains("type f8"));
  files.folder.write("keys.npy", std::string(25, 'x'));
  files.folder.write("vals.npy", bytes(two_values));
  CHECK_THAT(files.refusal(), Contains("neither fp16 nor fp32"));
}
