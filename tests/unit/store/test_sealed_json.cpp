#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "store/sealed_json.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

TEST_CASE("a sealed object comes back, with the same bytes each time") {
  test::TemporaryFolder folder;
  const core::Json object = {{"size", 7}, {"names", {"a", "b"}}};
  store::write_sealed(folder / "a.json", "one", object);
  store::write_sealed(folder / "b.json", "one", object);
  CHECK(store::read_sealed(folder / "a.json", "one") == object);
  CHECK(core::read_file(folder / "a.json") == core::read_file(folder / "b.json"));
}

TEST_CASE("any changed byte is seen, an empty file, and one of another owner") {
  test::TemporaryFolder folder;
  const auto path = folder / "a.json";
  store::write_sealed(path, "one", {{"size", 7}});
  const auto whole = core::read_file(path);
  for (std::size_t at = 0; at + 1 < whole.size(); ++at) {  // the last is the line end
    auto changed = whole;
    changed[at] ^= 1;
    core::write_file_durably(path, changed);
    CHECK_THROWS_AS(store::read_sealed(path, "one"), core::InputError);
  }
  core::write_file_durably(path, "");
  CHECK_THROWS_WITH(store::read_sealed(path, "one"), Contains("a.json"));
  core::write_file_durably(path, "[1]");
  CHECK_THROWS_WITH(store::read_sealed(path, "one"), Contains("is damaged"));
  core::write_file_durably(path, whole);
  CHECK_THROWS_WITH(store::read_sealed(path, "two"), Contains("is damaged"));
}
