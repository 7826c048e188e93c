#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "config/config.hpp"
#include "core/error.hpp"
#include "support/temporary_folder.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;
using config::Config;

namespace {

constexpr config::IntegerBounds any_integer{-1'000'000, 1'000'000};

/// Reads what a small program would, and returns the problems that were reported.
std::string problems_of(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  try {
    const auto config = Config::parse(yaml, "mine.yaml", overrides);
    const auto root = config.root();
    root.text("model");
    root.integer("shards", 1, {.least = 1, .most = 9});
    root.section("knn").number("lambda", 0.5, {.least = 0, .most = 1});
    root.section("knn").flag("exact", false);
    root.texts("files");
    for (const auto& item : root.sections("decode")) item.choice("mode", {"base", "knn"}, "base");
    config.finish();
    return "";
  } catch (const core::InputError& e) {
    return e.what();
  }
}

}  // namespace

TEST_CASE("a good config has no problems") {
  CHECK(problems_of("model: m\n") == "");
  CHECK(problems_of("model: m\nshards: 3\nknn: {lambda: 1, exact: true}\nfiles: [a, b]\n"
                    "decode:\n  - mode: knn\n  - {}\n") == "");
  CHECK(problems_of("model: m\nfiles: one\nknn:\n") == "");
}

TEST_CASE("all problems are reported at once, with line and nearest key") {
  const auto text = problems_of(
      "modle: m\n"
      "shards: 12\n"
      "knn:\n"
      "  lamda: 0.3\n"
      "  exact: perhaps\n"
      "shards: 2\n"
      "decode:\n"
      "  - mode: fast\n"
      "  - 3\n");
  CHECK_THAT(text, Contains("mine.yaml:1: unknown key 'modle' (did you mean 'model'?)"));
  CHECK_THAT(text, Contains("mine.yaml: model: is required"));
  CHECK_THAT(text, Contains("mine.yaml:2: shards: 12 must lie in 1 to 9"));
  CHECK_THAT(text, Contains("mine.yaml:4: unknown key 'knn.lamda' (did you mean 'knn.lambda'?)"));
  CHECK_THAT(text, Contains("mine.yaml:5: knn.exact: must be true or false"));
  CHECK_THAT(text, Contains("mine.yaml:6: duplicate key 'shards'"));
  CHECK_THAT(text, Contains("decode.0.mode: 'fast' must be one of: base, knn"));
  CHECK_THAT(text, Contains("decode: item 1 must be a map"));
}

TEST_CASE("wrong types and shapes are problems, not crashes") {
  CHECK_THAT(problems_of("model: [a]\n"), Contains("model: must be a string"));
  CHECK_THAT(problems_of("model: m\nshards: many\n"), Contains("shards: must be a whole number"));
  CHECK_THAT(problems_of("model: m\nshards: 1.5\n"), Contains("shards: must be a whole number"));
  CHECK_THAT(problems_of("model: m\nknn: 3\n"), Contains("knn: must be a map"));
  CHECK_THAT(problems_of("model: m\nknn: {lambda: .nan}\n"), Contains("must be a finite number"));
  CHECK_THAT(problems_of("model: m\nfiles: {a: b}\n"), Contains("must be a string or a list"));
  CHECK_THAT(problems_of("model: m\nfiles: [[a]]\n"), Contains("must be a list of strings"));
  CHECK_THAT(problems_of("model: m\ndecode: base\n"), Contains("decode: must be a list"));
}

TEST_CASE("what is not a YAML map is refused with its line") {
  CHECK_THAT(problems_of("model: [a\n"), Contains("mine.yaml:") && Contains("not valid YAML"));
  CHECK_THAT(problems_of("- a\n- b\n"), Contains("must be a map"));
  CHECK_THAT(problems_of("[a, b]: c\n"), Contains("keys must be plain words"));
}

TEST_CASE("a value that is no text is refused with its line") {
  CHECK(problems_of("model: \"Stra\xC3\x9F"
                    "e\\t\"\r\n") == "");
  for (const char* model : {"m\r\r", "m\xFF", "\"m\\0\"", "\"m\\x7F\"", "'m\xC3'"}) {
    CHECK_THAT(problems_of(fmt::format("shards: 1\nmodel: {}\n", model)),
               Contains("mine.yaml:2: a value with control characters or invalid UTF-8"));
  }
  CHECK_THAT(problems_of("model: m\n", {"model=m\r\r"}), Contains("a value with control"));
}

TEST_CASE("aliases that make a config endless or huge are refused with their line") {
  CHECK(problems_of("model: &m name\nfiles: [*m, *m]\n") == "");
  CHECK_THAT(problems_of("model: m\nknn: &a {exact: *a}\n"),
             Contains("mine.yaml:2: nested deeper than 64") && Contains("alias"));
  CHECK_THAT(problems_of("model: m\nfiles: &a [*a]\n"), Contains("mine.yaml:2: nested deeper"));
  CHECK_THAT(problems_of("model: m\n", {"files=&a [*a]"}),
             Contains("--set files=&a [*a]:1: nested"));
  std::string doubled = "model: m\na0: &a0 [x, x]\n";
  for (int i = 1; i < 20; ++i) {
    doubled += fmt::format("a{0}: &a{0} [*a{1}, *a{1}]\n", i, i - 1);
  }
  CHECK_THAT(problems_of(doubled), Contains("more than 100000 values"));
}

TEST_CASE("a list may be asked for more than once") {
  const auto config = Config::parse("decode: [{mode: base}]\n", "mine.yaml");
  CHECK(config.root().sections("decode")[0].text("mode") == "base");
  CHECK(config.root().sections("decode").size() == 1);
  CHECK_NOTHROW(config.finish());
}

TEST_CASE("overrides replace values, also in lists and in missing sections") {
  const auto config = Config::parse("model: m\ndecode: [{mode: base}]\n", "mine.yaml",
                                    {"knn.lambda=0.25", "decode.0.mode=knn", "files=[x, y]"});
  CHECK(config.root().section("knn").number("lambda", 0.5, {0, 1}) == 0.25);
  CHECK(config.root().sections("decode")[0].text("mode") == "knn");
  CHECK(config.root().texts("files") == std::vector<std::string>{"x", "y"});
  CHECK_THAT(problems_of("model: m\n", {"knn.lamda=1"}),
             Contains("--set knn.lamda=1: unknown key 'knn.lamda'"));
  CHECK_THAT(problems_of("model: m\nshards: 3\n", {"shards=abc"}),
             Contains("--set shards=abc: shards: must be a whole number"));
  CHECK_THAT(problems_of("model: m\nshards: x\n", {"knn.lambda=0.3"}),
             Contains("mine.yaml:2: shards: must be a whole number"));
  CHECK_THAT(problems_of("model: m\n", {"knn={lamda: 1}"}),
             Contains("--set knn={lamda: 1}: unknown key 'knn.lamda'"));
  CHECK_THAT(problems_of("model: m\n", {"shards"}), Contains("must be key=value"));
  CHECK_THAT(problems_of("model: m\ndecode: [{}]\n", {"decode.1.mode=knn"}), Contains("below 1"));
  CHECK_THAT(problems_of("model: m\n", {"model.x=1"}), Contains("below a plain value"));
}

TEST_CASE("the resolved config reads back to the same values") {
  const auto read = [](const Config& config) {
    const auto root = config.root();
    return std::tuple(root.text("model"), root.integer("shards", 4, any_integer),
                      root.section("knn").number("lambda", 0.1, {0, 1}),
                      root.section("knn").optional_number("threshold", {-100, 100}),
                      root.texts("files"), root.sections("decode").size(), root.flag("on", true),
                      root.integers("k", {}, any_integer),
                      root.integers("shares", {1, 4}, any_integer));
  };
  const auto config = Config::parse(
      "model: 'a: \"b\"'\nknn: {threshold: -2.5}\nfiles: ['1', 'true']\nk: [16, 1]\ndecode: [{}, "
      "{}]\n",
      "one");
  const auto first = read(config);
  const auto again = Config::parse(config.resolved(), "two");
  CHECK(read(again) == first);
  CHECK_NOTHROW(again.finish());
  CHECK(again.resolved() == config.resolved());
}

TEST_CASE("numbers lie within their bounds, and are finite") {
  const auto read = [](const std::string& value) {
    const auto config = Config::parse("n: " + value + "\n", "c");
    config.root().optional_number("n", {-1e30, 1e30});
    return config;
  };
  for (const char* inside : {"null", "-1e30", "1e30", "0", "-3"})
    CHECK_NOTHROW(read(inside).finish());
  for (const char* outside : {"1e300", "-1e31", ".inf", "-.inf", ".nan", "1e999", "[1]"}) {
    INFO(outside);
    CHECK_THROWS_WITH(read(outside).finish(), Contains("c:1: n: "));
  }
  const auto config = Config::parse("k: 99999999999999999999\n", "c");
  config.root().integer("k", 1, any_integer);
  CHECK_THROWS_WITH(config.finish(), Contains("k: must be a whole number"));
}

TEST_CASE("a config has a bound, and is a file") {
  const test::TemporaryFolder folder;
  const auto large = folder.write("large.yaml", std::string((16 << 20) + 1, '#'));
  CHECK_THROWS_WITH(Config::load(large, {}), Contains("large.yaml: has more than 16 MiB"));
  const auto includes = [](const std::string& file) {
    return Config::parse("include: " + file + "\n", "c.yaml");
  };
  CHECK_THROWS_WITH(includes(large), Contains("large.yaml: has more than 16 MiB"));
  CHECK_THROWS_WITH(includes("/dev/zero"), Contains("/dev/zero: is not a regular file"));
  CHECK_THROWS_WITH(Config::load("/dev/zero", {}), Contains("/dev/zero: is not a regular file"));
}

TEST_CASE("paths: the home folder and the environment's variables") {
  ::setenv("HOME", "/home/me", 1);
  ::setenv("KNNSEQ_TEST_DATA", "/data", 1);
  ::unsetenv("KNNSEQ_TEST_NONE");
  const auto config = Config::parse(
      "a: ~/x\nb: ['${KNNSEQ_TEST_DATA}/y', ~]\nc: a~b/$c\nd: '${KNNSEQ_TEST_NONE}/y'\ne: '~you'\n"
      "f: '${X'\n",
      "mine.yaml");
  const auto root = config.root();
  CHECK(root.path("a") == "/home/me/x");
  CHECK(root.paths("b").front() == "/data/y");
  CHECK(root.path("c") == "a~b/$c");
  CHECK(root.path("none", "~/d") == "/home/me/d");
  root.path("d");
  root.path("e");
  root.path("f");
  CHECK_THAT(config.resolved(), Contains("/home/me/x"));
  CHECK_THROWS_WITH(
      config.finish(),
      Contains("mine.yaml:4: d: the environment variable KNNSEQ_TEST_NONE is not set") &&
          Contains("mine.yaml:5: e: only ~ for your own home folder") &&
          Contains("mine.yaml:6: f: has ${ without its }"));
}

TEST_CASE("the resolved config says where each value comes from") {
  const auto config = Config::parse("a: 1\nknn:\n  k: 8\n", "mine.yaml", {"knn.nprobe=4"});
  config.root().integer("a", 0, any_integer);
  config.root().integer("b", 7, any_integer);
  config.root().section("knn").integer("k", 1, any_integer);
  config.root().section("knn").integer("nprobe", 1, any_integer);
  config.root().section("knn").texts("names");
  CHECK(config.explained() ==
        "a: 1  # mine.yaml:1\nb: 7  # default\nknn:\n  k: 8  # mine.yaml:3\n"
        "  nprobe: 4  # --set knn.nprobe=4\n  names: []  # default\n");
}

TEST_CASE("lists of whole numbers") {
  const auto config = Config::parse("k: [4, 1]\none: 7\nwords: [1, two]\nsmall: [2, 0]\n", "c");
  const auto root = config.root();
  CHECK(root.integers("k", {3}, any_integer) == std::vector<std::int64_t>{4, 1});
  CHECK(root.integers("one", {3}, any_integer) == std::vector<std::int64_t>{7});
  CHECK(root.integers("none", {3}, any_integer) == std::vector<std::int64_t>{3});
  root.integers("words", {}, any_integer);
  root.integers("small", {}, {.least = 1, .most = 9});
  CHECK_THROWS_WITH(config.finish(),
                    Contains("words: must be a list of whole numbers") &&
                        Contains("small: must be a list of whole numbers from 1 to 9"));
}

TEST_CASE("values under 'tuned' take the place of the config's own, which is told") {
  const test::TemporaryFolder folder;
  const auto plain = folder.write("plain.yaml", "knn:\n  k: 8\n  lambda: ~\n").string();
  const auto subset = folder.write("subset.yaml", "subset:\n  sentences: 64\n").string();
  const auto load = [&](const std::string& text, const std::vector<std::string>& overrides = {}) {
    const auto config = config::Config::parse(text, "mine.yaml", overrides);
    const auto root = config.root();
    return std::pair(config,
                     std::tuple(root.section("knn").integer("k", 1, any_integer),
                                root.section("knn").number("lambda", 0.5, {0, 1}),
                                root.section("knn").integer("nprobe", 1, any_integer),
                                root.section("subset").integer("sentences", 1, any_integer)));
  };
  const std::string both = "tuned: [" + plain + ", " + subset + "]\n";
  const auto [config, values] = load(both + "knn:\n  k: 16\n  lambda: 0.25\n  nprobe: 4\n");
  CHECK_NOTHROW(config.finish());
  CHECK(values == std::tuple(8, 0.5, 4, 64));
  REQUIRE(config.notices().size() == 2);
  CHECK(config.notices()[0] == "knn.k: 8 (" + plain + ":2) takes the place of 16 (mine.yaml:3)");
  CHECK_THAT(config.notices()[1], Contains("knn.lambda: none"));
  CHECK(config.included().size() == 2);
  CHECK(load(both).first.notices().empty());
  CHECK(std::get<0>(load(both, {"knn.k=9"}).second) == 9);
  const auto twice = load("tuned: [" + plain + ", " + plain + "]\n").first;
  CHECK_THROWS_WITH(twice.finish(), Contains("'knn.k' is also in the included"));
}

TEST_CASE(
    "included files add keys; what stands in both, or is wrong there, is named with its file") {
  const test::TemporaryFolder folder;
  const auto write = [&](const char* name, const std::string& text) {
    return folder.write(name, text).string();
  };
  const auto tuned = write("tuned.yaml", "knn:\n  k: 8\n  lambda: 0.25\nname: other\n");
  const auto more = write("more.yaml", "extra: 5\n");
  const auto load = [&](const std::string& text, const std::vector<std::string>& overrides = {}) {
    return config::Config::parse(text, "mine.yaml", overrides);
  };
  const auto values = [](const config::Config& config) {
    const auto knn = config.root().section("knn");
    return std::tuple(config.root().text("name", ""),
                      config.root().integer("extra", 0, any_integer),
                      knn.integer("k", 1, any_integer), knn.integer("nprobe", 1, any_integer),
                      knn.number("lambda", 0, {0, 1}));
  };
  const auto both = load("include: [" + tuned + ", " + more + "]\nknn: {nprobe: 4}\n", {"knn.k=9"});
  CHECK(values(both) == std::tuple("other", 5, 9, 4, 0.25));
  CHECK_NOTHROW(both.finish());
  const auto one = load("include: " + more + "\n");
  CHECK(values(one) == std::tuple("", 5, 1, 1, 0));

  const auto twice = load("name: mine\ninclude: " + tuned + "\nknn:\n  k: 16\n");
  values(twice);
  const std::string text = [&] {
    try {
      twice.finish();
    } catch (const core::InputError& e) {
      return std::string(e.what());
    }
    return std::string();
  }();
  CHECK_THAT(text, Contains("mine.yaml:4: 'knn.k' is also in the included " + tuned + ":2: leave"));
  CHECK_THAT(text, Contains("mine.yaml:1: 'name' is also in the included"));

  const auto bad = write("bad.yaml", "knn: {k: many}\nextra: 1\nextra: 2\n");
  const auto wrong = load("include: " + bad + "\n");
  values(wrong);
  CHECK_THROWS_WITH(wrong.finish(), Contains(bad + ":3: duplicate key 'extra'") &&
                                        Contains(bad + ":1: knn.k: must be a whole number"));
  CHECK_THROWS_WITH(load("include: {a: 1}\n").finish(), Contains("mine.yaml:1: include: must be"));
  CHECK_THROWS_WITH(load("include: nowhere.yaml\n"), Contains("nowhere.yaml"));
  const auto nested = write("nested.yaml", "include: " + more + "\n");
  CHECK_THROWS_WITH(load("include: " + nested + "\n"), Contains("must not include others"));
}
