#include <catch2/catch.hpp>

#include "comm/self_communicator.hpp"
#include "stages/run/room_check.hpp"
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

TEST_CASE("a corpus that no disk and memory has room for") {
  const auto comm = comm::make_self_communicator();
  obs::Log log(0, 1);
  runtime::StageContext context{*comm, log, {}, {}, {}};
  stages::Options options;
  options.run_dir = "none/run";
  options.index.factory = "IVF1024,PQ64";
  options.datastore.sample.size = 1'000'000'000'000;
  stages::Needs needs;
  needs.width = 1024;
  needs.index = index::parse_index_spec(options.index.factory, needs.width);
  needs.corpus = {1000, 20'000, 20'000, false};
  // Keys of 2 kB, a mean of the source each, the sample once more, codes, ids and centroids.
  const std::int64_t entries = 20'000 * (2 * 2048 + 8 + 4 + 2 * 4 + 64 + 8);
  CHECK(stages::missing_bytes(options, needs) ==
        entries + 1000 * (2048 + 9 * 8) + 2 * 5500 + 2 * ((1024 + 256) * 1024 * 4 + 1024 * 8));
  const auto said = [&] {
    stages::Problems problems;
    stages::check_disk(options, needs, problems);
    stages::check_memory(context, options, needs, problems);
    try {
      problems.report(*comm);
    } catch (const core::Error& e) {
      return core::items_of(e);
    }
    return std::vector<std::string>();
  };
  CHECK(said().empty());
  needs.corpus.entries = 10'000'000'000'000;
  const auto lines = said();
  REQUIRE(lines.size() == 6);
  CHECK_THAT(lines[0], Catch::Contains("run_dir: none/run will need about"));
  CHECK_THAT(lines[3], Catch::Contains("memory: train will need about"));
  CHECK_THAT(lines[5], Catch::Contains("memory: decode will need about"));
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
  for (const auto& paths : places) {
    const stages::SubsetSteps subset(paths);
    for (const auto& step : {subset.vectors, subset.sentence_codebook, subset.sentence_index,
                             subset.codebook, subset.codes}) {
      CHECK(step_in(step.folder) == step.stage);
    }
  }
  for (const char* unknown : {"mine", "decode", "decode/a/b", "append/news/other", "index/add"}) {
    CHECK(stages::step_in(unknown).empty());
  }
}
