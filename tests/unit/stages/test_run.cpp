#include <catch2/catch.hpp>

#include "stages/run/run.hpp"

using namespace knnseq;

TEST_CASE("run consists of what the config asks for") {
  stages::Options options;
  std::vector<std::string> expected = {"partition", "encode", "train", "add"};
  CHECK(stages::commands(options) == expected);
  options.append.resize(1);
  options.append[0].name = "news";
  options.decode.resize(2);
  options.decode[0].name = "base";
  options.decode[1].name = "knn";
  expected.insert(expected.end(), {"append news", "decode base", "decode knn"});
  CHECK(stages::commands(options) == expected);
  options.decode[1].reference = "test.en";
  expected.push_back("evaluate");
  CHECK(stages::commands(options) == expected);
}
