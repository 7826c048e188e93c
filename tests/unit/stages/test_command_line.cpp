#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/command_line.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {
stages::CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "knnseq");
  return stages::parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}
}  // namespace

TEST_CASE("arguments in any order") {
  const auto command =
      parse({"--config", "a.yaml", "decode", "--set", "knn.k=8", "test-knn", "--force"});
  CHECK(command.stage == "decode");
  CHECK(command.config == "a.yaml");
  CHECK(command.overrides == std::vector<std::string>{"knn.k=8"});
  CHECK(command.names == std::vector<std::string>{"test-knn"});
  CHECK(command.force);
  CHECK(parse({"--help"}).help);
  CHECK(parse({"doctor"}).config.empty());
  CHECK(parse({"encode", "--config=a.yaml", "--set=knn.k=8"}).overrides[0] == "knn.k=8");
}

TEST_CASE("what is not understood is named") {
  CHECK_THROWS_WITH(parse({}), Contains("no stage"));
  CHECK_THROWS_WITH(parse({"enocde", "--config", "a"}), Contains("'enocde' is not a stage"));
  CHECK_THROWS_WITH(parse({"encode", "--fast"}), Contains("--fast: is not an option"));
  CHECK_THROWS_WITH(parse({"encode", "--config"}), Contains("--config: needs a value"));
  CHECK_THROWS_WITH(parse({"encode"}), Contains("--config FILE is required"));
  CHECK_THROWS_WITH(parse({"doctor", "--set", "a=b"}), Contains("--config FILE is required"));
  CHECK_THROWS_WITH(parse({"encode", "x", "--config", "a"}),
                    Contains("only append and decode take names"));
  CHECK(parse({"run", "--list", "--config", "a"}).list);
  CHECK_THROWS_WITH(parse({"encode", "--list", "--config", "a"}), Contains("is for run only"));
}
