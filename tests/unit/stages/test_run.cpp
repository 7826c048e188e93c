#include <catch2/catch.hpp>

#include "stages/run/run.hpp"
#include "stages/shared/options/corpus_paths.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/stage_table.hpp"

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

TEST_CASE("the table knows the folder of every step") {
  const std::filesystem::path run_dir = "run";
  const auto step_in = [&](const std::filesystem::path& folder) {
    return stages::step_in(std::filesystem::relative(folder, run_dir).string());
  };
  stages::Options options;
  options.run_dir = run_dir;
  options.append.resize(1);
  options.append[0].name = "news-2";
  auto places = stages::appended_corpora(options);
  places.push_back(stages::first_corpus(options));
  for (const auto& paths : places) {
    for (const char* step : {"partition", "encode", "add", "measure"}) {
      if (paths.appended() || std::string(step) != "measure")
        CHECK(step_in(paths.made_by(step)) == paths.stage_name(step));
    }
    CHECK(step_in(paths.codebook) == "train");
  }
  const stages::Folders folders(run_dir);
  CHECK(step_in(folders.decode / "knn.1") == "decode-knn.1");
  CHECK(step_in(folders.evaluate) == "evaluate");
  CHECK(step_in(folders.sweep) == "sweep");
  CHECK(step_in(folders.exported) == "export");
  for (const auto& tune : {folders.tune, folders.tune_subsets}) {
    CHECK(step_in(tune) == "tune");
    CHECK(step_in(tune / "likelihoods") == "tune-likelihoods");
  }
  const stages::SubsetSteps subset(run_dir);
  for (const auto& step : {subset.vectors, subset.sentence_codebook, subset.sentence_index,
                           subset.codebook, subset.codes}) {
    CHECK(step_in(step.folder) == step.stage);
  }
  for (const char* unknown : {"mine", "decode", "decode/a/b", "append/news/other", "index/add"}) {
    CHECK(stages::step_in(unknown).empty());
  }
}
