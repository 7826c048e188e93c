#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/shared/options/config_schema.hpp"
#include "stages/shared/options/options.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

const std::string least =
    "run_dir: r\nmodel: m\ncorpus: {source: a, target: b}\nindex: {factory: \"IVF4,PQ4\"}\n";

std::string problems_of(const std::string& more) {
  try {
    stages::read_options(config::Config::parse(least + more, "c.yaml"));
  } catch (const core::InputError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("every shipped config is read, and the reference holds every key with its default") {
  std::filesystem::current_path(KNNSEQ_SOURCE_DIR);  // includes are relative to it
  for (const auto& entry : std::filesystem::directory_iterator(KNNSEQ_SOURCE_DIR "/configs")) {
    if (entry.is_directory()) continue;  // configs/tuned: parts that others include
    INFO(entry.path().string());
    CHECK_NOTHROW(stages::read_options(config::Config::load(entry.path(), {})));
  }
  const auto reference = config::Config::load(KNNSEQ_SOURCE_DIR "/configs/reference.yaml", {});
  const auto documented = stages::read_options(reference);
  const auto minimal_config = config::Config::parse(
      "run_dir: runs/mine\nmodel: models/demo-de-en\ncorpus: {source: corpus.de, target: "
      "corpus.en}\n"
      "index: {factory: \"OPQ32_128,IVF1024,PQ32\"}\nevaluate: {language: en}\n"
      "inspect: {base: test-base, knn: test-knn}\n"
      "append: [{name: news, source: news.de, target: news.en}]\n"
      "sweep: {source: valid.de, target: valid.en}\n"
      "tune: {source: valid.de, reference: valid.en}\n"
      "decode: [{name: test-knn, source: test.de, reference: test.en}]\n",
      "minimal");
  stages::read_options(minimal_config);
  CHECK(reference.resolved() == minimal_config.resolved());
}

TEST_CASE("the documented schema is that of the keys, with ranges, names and what is required") {
  const auto schema = stages::config_schema(stages::config_keys());
  CHECK(core::read_json(KNNSEQ_SOURCE_DIR "/docs/config.schema.json") == schema);
  const auto& properties = schema.at("properties");
  CHECK(schema.at("required") == core::Json{"run_dir", "model", "index"});
  const core::Json texts = {{"required", {"source", "target"}}};
  CHECK(schema.at("anyOf") ==
        core::Json{{{"required", {"corpus"}}, {"properties", {{"corpus", texts}}}},
                   {{"required", {"import"}}}});
  const auto& appended = properties.at("append").at("items");
  CHECK(appended.at("required") == core::Json::array({"name"}));
  CHECK(appended.at("anyOf") == core::Json{texts, {{"required", {"merged"}}}});
  const auto& item = properties.at("decode").at("items");
  CHECK(item.at("required") == core::Json{"name", "source"});
  CHECK_FALSE(item.at("additionalProperties").get<bool>());
  CHECK(item.at("properties").at("mode").at("enum") == core::Json{"plain", "subset", "memory"});
  const auto& lambda = properties.at("knn").at("properties").at("lambda");
  CHECK(lambda.at("type") == "number");
  CHECK(lambda.at("maximum") == 1);
}

TEST_CASE("items of decode inherit from knn and beam_search and may override") {
  const auto config =
      config::Config::parse(least +
                                "knn: {k: 8, lambda: 0.25}\nbeam_search: {beam: 4}\n"
                                "decode: [{name: a, source: t, k: 3, length_penalty: 0.6}, {name: "
                                "b, source: t, knn: false}]\n",
                            "c.yaml");
  const auto options = stages::read_options(config);
  REQUIRE(options.decode.size() == 2);
  CHECK(options.decode[0].search.k == 3);
  CHECK(options.decode[0].interpolation.lambda == 0.25f);
  CHECK(options.decode[0].beam.length_penalty == 0.6);
  CHECK(options.decode[1].search.k == 8);
  CHECK(options.decode[1].beam.beam == 4);
  CHECK_FALSE(options.decode[1].knn);
}

TEST_CASE("items of append inherit from corpus and may override") {
  const auto options = stages::read_options(config::Config::parse(
      "run_dir: r\nmodel: m\ncorpus: {source: a, target: b, bad_pairs: stop, max_tokens: 9}\n"
      "index: {factory: \"IVF4,PQ4\"}\n"
      "append: [{name: x, source: c, target: d}, {name: y, source: [e, f], target: g, bad_pairs: "
      "drop, max_tokens: 7}]\n",
      "c.yaml"));
  REQUIRE(options.append.size() == 2);
  CHECK(options.append[0].name == "x");
  CHECK(options.append[0].corpus.source == std::vector<std::filesystem::path>{"c"});
  CHECK_FALSE(options.append[0].corpus.drop_bad_pairs);
  CHECK(options.append[0].corpus.max_tokens == 9);
  CHECK(options.append[1].corpus.source.size() == 2);
  CHECK(options.append[1].corpus.drop_bad_pairs);
  CHECK(options.append[1].corpus.max_tokens == 7);
  CHECK_THAT(problems_of("append: [{name: x, target: d}]\n"), Contains("source: is required"));
  CHECK_THAT(problems_of("append: [{name: x, merged: true, source: c, target: d}]\n"),
             Contains("merged: excludes source and target"));
  CHECK_THAT(problems_of("append: [{name: x, merged: true}]\n"), !Contains("append"));
  CHECK_THAT(problems_of("append: [{name: a/b, source: c, target: d}]\n"),
             Contains("must be of letters"));
}

TEST_CASE("inner products need a temperature of their own") {
  const auto problems = [](const std::string& index, const std::string& more) {
    try {
      stages::read_options(config::Config::parse(
          "run_dir: r\nmodel: m\ncorpus: {source: a, target: b}\nindex: " + index + "\n" + more,
          "c.yaml"));
    } catch (const core::InputError& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  const std::string ip = "{factory: \"IVF4,PQ4\", metric: ip}";
  const std::string sets = "decode: [{name: a, source: t}]\n";
  CHECK_THAT(problems(ip, sets), Contains("temperature: is required if index.metric is ip"));
  CHECK(problems(ip, sets + "knn: {temperature: 2}\n").empty());
  CHECK(problems(ip, "decode: [{name: a, source: t, temperature: 3}]\n").empty());
  CHECK(problems(ip, "decode: [{name: a, source: t, knn: false}]\n").empty());
  CHECK(problems("{factory: \"IVF4,PQ4\"}", sets).empty());
  CHECK_THAT(problems("{factory: \"IVF4,PQ4\", metric: l1}", sets), Contains("metric"));
}

TEST_CASE("a sweep's lists are sorted, and its indexes are the index unless they are given") {
  const auto read = [](const std::string& more) {
    return stages::read_options(config::Config::parse(least + more, "c.yaml")).sweep;
  };
  const auto sweep = read("sweep: {source: a, target: b, k: [16, 1, 16], nprobe: 4}\n");
  CHECK(sweep.k == std::vector<std::int64_t>{1, 16});
  CHECK(sweep.nprobe == std::vector<std::int64_t>{4});
  CHECK(sweep.indexes == std::vector<std::string>{"IVF4,PQ4"});
  CHECK(read("sweep: {indexes: [Flat, HNSW8]}\n").indexes.size() == 2);
  CHECK_THAT(problems_of("sweep: {source: a}\n"), Contains("sweep.target: is required"));
  CHECK_THAT(problems_of("sweep: {shares: []}\n"), Contains("sweep.shares: must not be empty"));
}

TEST_CASE("rules across keys") {
  CHECK_THAT(problems_of("decode: [{name: a, source: t}, {name: a, source: u}]\n"),
             Contains("name: is used twice"));
  CHECK_THAT(problems_of("decode: [{name: ../x, source: t}]\n"), Contains("must be of letters"));
  CHECK_THAT(problems_of("beam_search: {beam: 2, nbest: 3}\n"),
             Contains("must not be larger than beam"));
  CHECK_THAT(problems_of("knn: {lambda: 1.5}\n"), Contains("knn.lambda: 1.5 must lie in 0 to 1"));
  CHECK_THAT(problems_of("index: {metric: l2}\n"), Contains("duplicate key 'index'"));
}

TEST_CASE("every number has a range that the code can stand") {
  const std::vector<std::string> keys = {"shards",
                                         "threads",
                                         "timeout_seconds",
                                         "corpus.max_tokens",
                                         "datastore.layer",
                                         "datastore.sample",
                                         "index.coarse_iterations",
                                         "index.opq_iterations",
                                         "index.opq_tolerance",
                                         "index.opq_pq_iterations",
                                         "index.opq_first_pq_iterations",
                                         "index.pq_iterations",
                                         "index.max_points_per_centroid",
                                         "knn.k",
                                         "knn.nprobe",
                                         "knn.ef_search",
                                         "knn.temperature",
                                         "knn.lambda",
                                         "knn.threshold",
                                         "subset.sentences",
                                         "subset.nprobe",
                                         "subset.sample",
                                         "beam_search.beam",
                                         "beam_search.length_penalty",
                                         "beam_search.max_length_a",
                                         "beam_search.max_length_b",
                                         "beam_search.nbest",
                                         "beam_search.block_sentences",
                                         "evaluate.resamples",
                                         "inspect.line",
                                         "inspect.token",
                                         "inspect.neighbours",
                                         "translate.batch",
                                         "serve.queue",
                                         "serve.body_bytes",
                                         "serve.answer_seconds",
                                         "sweep.queries",
                                         "sweep.nprobe",
                                         "sweep.ef_search",
                                         "sweep.shares",
                                         "sweep.k",
                                         "tune.k",
                                         "tune.temperature",
                                         "tune.lambda",
                                         "tune.nprobe",
                                         "tune.sentences",
                                         "tune.candidates"};
  const auto refused = [](const std::string& key, const std::string& value) {
    try {
      stages::read_options(config::Config::parse(least, "c.yaml", {key + "=" + value}));
    } catch (const core::InputError& e) {
      return std::string(e.what()).find(key + ": ") != std::string::npos;
    }
    return false;
  };
  for (const auto& key : keys) {
    INFO(key);
    CHECK(refused(key, "-2000000000000000000000000000000000"));
    CHECK(refused(key, "1e300"));
    CHECK(refused(key, ".nan"));
    CHECK(refused(key, ".inf"));
    if (key == "knn.threshold" || key.ends_with("temperature")) continue;  // fp32 holds these
    CHECK(refused(key, "4611686018427387904"));
    CHECK(refused(key, "-4611686018427387904"));
  }
  for (const char* key : {"datastore.seed", "index.seed", "evaluate.seed", "sweep.seed"}) {
    CHECK(refused(key, "-1"));
    CHECK_FALSE(refused(key, "9223372036854775807"));
  }
  CHECK_THAT(problems_of("knn: {lambda: 0.99999999999}\n"), Contains("lambda: must be below 1"));
  std::string many = "1";
  for (int k = 2; k <= 200; ++k) many += ", " + std::to_string(k);
  CHECK_THAT(problems_of("tune: {source: a, reference: b, k: [" + many + "], nprobe: [" + many +
                         "], temperature: [" + many + "]}\n"),
             Contains("tune.k: the lists make 80000000 settings, more than 1000000"));
}
