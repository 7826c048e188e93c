#include <cmath>
#include <limits>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "store/manifest.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using namespace knnseq::store;
using Catch::Matchers::Contains;

TEST_CASE("a manifest is read back, and damage, another version or another file is refused") {
  test::TemporaryFolder folder;
  const auto path = folder / "manifest.json";
  CHECK_FALSE(read_manifest(path).has_value());
  const auto manifest = make_manifest("encode", {{"key", "ffn_in"}}, {{"entries", 7}});
  core::write_file_durably(path, manifest.dump());
  const auto read = read_manifest(path);
  CHECK(read->file == path);
  CHECK(read->stage == "encode");
  CHECK(read->inputs == manifest.at("inputs"));
  CHECK(read->content == manifest.at("content"));
  CHECK(read->identity == manifest.at("identity"));
  CHECK(to_json(manifest_from(to_json(*read))) == to_json(*read));

  auto damaged = manifest;
  damaged["content"]["entries"] = 8;
  core::write_file_durably(path, damaged.dump());
  CHECK_THROWS_WITH(read_manifest(path), Contains("is damaged"));
  damaged = make_manifest("encode", core::Json::object(), {{"files", {{"a.h5", 9}}}});
  damaged["content"]["files"]["a.h5"] = 8;
  core::write_file_durably(path, damaged.dump());
  CHECK_THROWS_WITH(read_manifest(path), Contains("is damaged"));
  auto newer = manifest;
  newer["version"] = 99;
  core::write_file_durably(path, newer.dump());
  CHECK_THROWS_WITH(read_manifest(path), Contains("has version 99"));
  core::write_file_durably(path, "{}");
  CHECK_THROWS_WITH(read_manifest(path), Contains("not a manifest"));
  for (const char* part : {"version", "stage", "inputs", "content", "identity"}) {
    auto without = manifest;
    without.erase(part);
    core::write_file_durably(path, without.dump());
    CHECK_THROWS_WITH(read_manifest(path), Contains("not a manifest"));
  }
}

TEST_CASE("identities differ with inputs and content only") {
  const auto one = make_manifest("encode", {{"key", "ffn_in"}}, {{"entries", 7}});
  CHECK(one == make_manifest("encode", {{"key", "ffn_in"}}, {{"entries", 7}}));
  CHECK(one.at("identity") !=
        make_manifest("encode", {{"key", "ffn_out"}}, {{"entries", 7}}).at("identity"));
  CHECK(one.at("identity") !=
        make_manifest("encode", {{"key", "ffn_in"}}, {{"entries", 8}}).at("identity"));
  const auto with = [](const core::Json& more) {
    core::Json content = {{"entries", 7}};
    content.update(more);
    return make_manifest("encode", {{"key", "ffn_in"}}, content);
  };
  for (const core::Json& more :
       {core::Json{{"files", {{"a.h5", 9}}}}, {{"aside", {{"size", 5}}}}}) {
    CHECK(with(more).at("identity") == one.at("identity"));
    CHECK(with(more).at("checksum") != one.at("checksum"));
  }
}

TEST_CASE("changes are described by name, with both values") {
  const core::Json before = {
      {"key", "ffn_in"}, {"beam", 5}, {"same", {{"x", 1}}}, {"files", {{"a", 1}}}};
  const core::Json now = {
      {"key", "ffn_out"}, {"k", 8}, {"same", {{"x", 1}}}, {"files", {{"a", 2}}}};
  const auto text = describe_changes(before, now);
  CHECK_THAT(text, Contains("key: was \"ffn_in\", is \"ffn_out\""));
  CHECK_THAT(text, Contains("beam: was 5, is null"));
  CHECK_THAT(text, Contains("k: was null, is 8"));
  CHECK_THAT(text, Contains("files (a: was 1, is 2)"));
  CHECK_THAT(text, !Contains("same"));
  CHECK(describe_changes(before, before).empty());

  // fingerprints say nothing to people, and fp32 numbers print as they were written
  const std::string one(32, 'a');
  const std::string two(32, 'b');
  const auto change = [](const core::Json& was, const core::Json& is) {
    return describe_changes({{"x", was}}, {{"x", is}});
  };
  CHECK(change(one, two) == "x: has changed");
  const auto files = [&](const std::string& of_a, const std::string& of_b) {
    return core::Json::array(
        {core::Json::array({"a.de", of_a}), core::Json::array({"b.de", of_b})});
  };
  CHECK(change(files(one, one), files(one, two)) == "x: b.de has changed");
  CHECK(change(files(one, one), files(two, two)) == "x: a.de, b.de have changed");
  auto fewer = files(one, one);
  fewer.erase(1);
  CHECK(change(fewer, files(one, one)) == "x: was a.de, is a.de, b.de");
  CHECK(change(core::Json::array({files(one, one), files(one, one)}),
               core::Json::array({files(one, one), files(two, one)})) == "x: a.de has changed");
  CHECK(change({one, one}, {one, two}) == "x: 1 of 2 changed");
  CHECK(change(core::Json::array({one}), {one, two}) == "x: were 1, are 2");
  CHECK(change(static_cast<double>(0.4f), 0.25) == "x: was 0.4, is 0.25");
  CHECK(change(0.4, nullptr) == "x: was 0.4, is null");
}

TEST_CASE(
    "numbers that are not finite never reach a manifest, and counts that cannot be are refused") {
  const double infinity = std::numeric_limits<double>::infinity();
  CHECK_THROWS_AS(make_manifest("decode", {{"threshold", infinity}}, core::Json::object()),
                  std::logic_error);
  CHECK_THROWS_AS(make_manifest("append", core::Json::object(), {{"errors", {1.0, std::nan("")}}}),
                  std::logic_error);
  const test::TemporaryFolder folder;
  const auto read = [&](const core::Json& content) {
    const auto manifest = make_manifest("encode", core::Json::object(), content);
    const auto path = folder / "manifest.json";
    core::write_file_durably(path, manifest.dump());
    return read_manifest(path);
  };
  CHECK_NOTHROW(read({{"entries", std::int64_t{1} << 39}, {"width", 65536}, {"seed", -1}}));
  for (const char* value :
       {"-1", "1e12", "2.5", "1099511627776", "18446744073709551615", "\"7\""}) {
    const auto count = core::Json::parse(value);
    CHECK_THROWS_WITH(read({{"entries", count}}),
                      Contains("entries' is " + count.dump() + ", not a whole number"));
    CHECK_THROWS_WITH(read({{"shards", {{"shard-0", {{{"first_row", count}}}}}}}),
                      Contains("first_row"));
  }
}
