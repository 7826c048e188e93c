#include <algorithm>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/command_line.hpp"
#include "stages/shared/options/options.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {
stages::CommandLine parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "knnseq");
  return stages::parse_command_line(static_cast<int>(arguments.size()), arguments.data(),
                                    stages::stage_table());
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
  CHECK_THROWS_WITH(parse({"enocde", "--config", "a"}),
                    Contains("'enocde' is not a stage; did you mean 'encode'?"));
  CHECK(parse({"--schema"}).schema);
  CHECK(parse({"encode", "--print-config", "--config", "a"}).print_config);
  CHECK_THROWS_WITH(parse({"encode", "--fast"}), Contains("--fast: is not an option"));
  CHECK_THROWS_WITH(parse({"encode", "--config"}), Contains("--config: needs a value"));
  CHECK_THROWS_WITH(parse({"encode"}), Contains("--config FILE is required"));
  CHECK_THROWS_WITH(parse({"doctor", "--set", "a=b"}), Contains("--config FILE is required"));
  CHECK_THROWS_WITH(parse({"encode", "x", "--config", "a"}),
                    Contains("only append, remove, decode, translate and serve take names"));
  CHECK(parse({"run", "--list", "--config", "a"}).list);
  CHECK_FALSE(parse({"run", "--config", "a"}).check);
  CHECK(parse({"run", "--check", "--config", "a"}).check == stages::CheckScope::all);
  CHECK(parse({"run", "--check=inputs", "--config", "a"}).check == stages::CheckScope::inputs);
  CHECK_THROWS_WITH(parse({"run", "--check=x", "--config", "a"}), Contains("not all or inputs"));
  CHECK_THROWS_WITH(parse({"encode", "--check", "--config", "a"}), Contains("is for run only"));
  CHECK_THROWS_WITH(parse({"encode", "--list", "--config", "a"}), Contains("is for run only"));
}

TEST_CASE("options of one stage, and a run directory's own config") {
  const auto inspect = parse({"--json", "inspect", "--config", "a.yaml", "--set", "knn.k=8"});
  CHECK(inspect.overrides == std::vector<std::string>{"inspect.json=true", "knn.k=8"});
  CHECK(parse({"serve", "--listen=[::1]:1", "--run", "a"}).overrides ==
        std::vector<std::string>{"serve.listen=[::1]:1", "run_dir=\"a\""});
  CHECK_THROWS_WITH(parse({"encode", "--json", "--config", "a"}),
                    Contains("--json: is no option of encode"));
  const auto verify = parse({"verify", "--run", "runs/a b"});
  CHECK(verify.config == "runs/a b/config.yaml");
  CHECK(verify.overrides == std::vector<std::string>{"run_dir=\"runs/a b\""});
  CHECK_THROWS_WITH(parse({"verify"}), Contains("--config FILE or --run DIR is required"));
  CHECK_THROWS_WITH(parse({"encode", "--run", "a"}),
                    Contains("--run: is for inspect, translate, serve, report and verify"));
  CHECK_THROWS_WITH(parse({"verify", "--run", "\xff"}), Contains("--run: is not valid UTF-8"));
  CHECK_THROWS_WITH(parse({"verify", "--run", "a", "--config", "b"}),
                    Contains("--run: is instead of --config"));
}

TEST_CASE("run directories in place of a config") {
  const auto merge = parse({"merge", "runs/a", "b=runs/b", "--into", "runs/c"});
  CHECK(merge.config == "runs/a/config.yaml");
  CHECK(merge.names == std::vector<std::string>{"runs/a", "b=runs/b"});
  CHECK(merge.overrides == std::vector<std::string>{"run_dir=runs/c"});
  CHECK_THROWS_WITH(parse({"merge", "a", "--into", "c"}), Contains("needs two run directories"));
  CHECK_THROWS_WITH(parse({"merge", "a", "b"}), Contains("--into: DIR is required"));
  CHECK_THROWS_WITH(parse({"merge", "a", "b", "--into", "c", "--config", "d"}),
                    Contains("--config: is not for merge"));
  CHECK_THROWS_WITH(parse({"merge", "a", "\xff", "--into", "c"}), Contains("not valid UTF-8"));
  CHECK_THAT(stages::stage_help(*stages::find_stage(stages::stage_table(), "merge"), {}),
             Contains("knnseq merge DIR [NAME=]DIR … --into DIR [--set"));
}

TEST_CASE("help follows from the table of stages") {
  const auto table = stages::stage_table();
  const auto text = stages::usage(table);
  const auto list = stages::stage_list(table);
  for (const auto& stage : table) {
    CHECK_THAT(text, Contains("\n  " + stage.name + " "));
    CHECK_THAT(list, Contains(stage.name + " "));
    CHECK_FALSE(stage.help.empty());
    CHECK(parse({stage.name.c_str(), "--help"}).help);
  }
  CHECK_THAT(text, Contains("doctor does without"));
  CHECK_THAT(text, Contains("with import, append, tune and run:"));
  CHECK_THAT(list, Contains("append ordered\n"));
  CHECK_THAT(list, Contains("decode independent\n"));
  CHECK_THAT(list, Contains("encode none\n"));
  CHECK(parse({"--list"}).list);
}

TEST_CASE("a stage's help has the keys of the config that it reads, with what they are") {
  const auto table = stages::stage_table();
  const auto keys = stages::config_keys();
  const auto of = [&](const char* name) {
    return stages::stage_help(*stages::find_stage(table, name), keys);
  };
  CHECK_THAT(of("train"), Contains("index.factory                    is required\n"));
  CHECK_THAT(of("train"), Contains("index.metric                     l2\n"));
  CHECK_THAT(of("train"), !Contains("sweep."));
  CHECK_THAT(of("partition"), Contains("corpus.max_tokens                4000\n"));
  CHECK_THAT(of("partition"), Contains("corpus.source                    is required (one file"));
  CHECK_THAT(of("decode"), Contains("decode[].source") && Contains("[NAME …]"));
  CHECK_THAT(of("subset"), Contains("makes    subset/vectors/, subset/sentence-codebook/"));
}

TEST_CASE("every key of the config is read by some stage, and no stage reads others") {
  const auto keys = stages::config_keys();
  const auto lies_in = [](const std::string& key, const std::string& name) {
    return key == name || key.starts_with(name + ".") || key.starts_with(name + "[");
  };
  for (const auto& key : keys) {
    INFO(key.path);
    CHECK(std::ranges::any_of(stages::stage_table(), [&](const stages::Stage& stage) {
      return std::ranges::any_of(stage.keys,
                                 [&](const auto& name) { return lies_in(key.path, name); });
    }));
  }
  for (const auto& stage : stages::stage_table()) {
    for (const auto& name : stage.keys) {
      INFO(stage.name << " " << name);
      CHECK(std::ranges::any_of(keys, [&](const auto& key) { return lies_in(key.path, name); }));
    }
  }
}
