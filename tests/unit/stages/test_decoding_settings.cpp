// Settings go into the manifest of a decoding and come back from it.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/shared/search/decoding_settings.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

/// What decode writes, as far as settings are read from it.
store::Manifest manifest(core::Json inputs) {
  inputs["dtype"] = "fp32";
  return {"run/decode/x/manifest.json", "decode-x", std::move(inputs), {}, ""};
}

core::Json plain_inputs() {
  return {
      {"k", 4},         {"nprobe", 3},         {"probing", "hnsw"},    {"backend", "faiss on GPUs"},
      {"ef_search", 9}, {"temperature", 15.0}, {"threshold", nullptr}, {"lambda", 0.8F}};
}

}  // namespace

TEST_CASE("settings of plain kNN are taken from the manifest") {
  stages::Options options;
  stages::DecodeOptions decoding;
  decoding.interpolation.policy = retrieval::PolicyKind::distance;
  decoding.interpolation.threshold = 3.0F;
  decoding.mode = stages::KnnMode::subset;
  stages::adopt_settings(manifest(plain_inputs()), {"run_dir=x", "inspect.line=3"}, options,
                         decoding);
  CHECK(decoding.knn);
  CHECK(decoding.dtype == "fp32");
  CHECK(decoding.search.probing == index::Probing::hnsw);
  CHECK(decoding.search.backend == index::Backend::faiss);
  CHECK(decoding.search.ef_search == 9);
  CHECK_FALSE(decoding.interpolation.threshold);
  CHECK(stages::describe_settings(options, decoding) == core::Json{{"mode", "plain"},
                                                                   {"beam", 5},
                                                                   {"length_penalty", 1.0},
                                                                   {"k", 4},
                                                                   {"nprobe", 3},
                                                                   {"policy", "fixed"},
                                                                   {"temperature", 15.0},
                                                                   {"lambda", 0.8}});
}

TEST_CASE("settings of subsets, of policies and of a memory are taken from the manifest") {
  stages::Options options;
  stages::DecodeOptions decoding;
  core::Json inputs = {{"mode", "subset"},   {"encoder", "bm25"}, {"sentences", 7}, {"k", 2},
                       {"policy", "robust"}, {"network", "f"},    {"gate", "g"},    {"skip", 0.25}};
  stages::adopt_settings(manifest(inputs), {}, options, decoding);
  CHECK(decoding.mode == stages::KnnMode::subset);
  CHECK(options.subset.encoder == stages::SentenceEncoder::bm25);
  CHECK(options.subset.sentences == 7);
  CHECK(decoding.interpolation.policy == retrieval::PolicyKind::robust);
  CHECK(decoding.interpolation.skip == 0.25);
  inputs = {{"mode", "memory"}, {"encoder", "mean"}, {"sentence_nprobe", 5}};
  stages::adopt_settings(manifest(inputs), {}, options, decoding);
  CHECK(decoding.mode == stages::KnnMode::memory);
  CHECK(options.subset.nprobe == 5);
  CHECK(stages::describe_settings(options, decoding) ==
        core::Json{{"mode", "memory"}, {"encoder", "mean"}});
  stages::adopt_settings(manifest(core::Json::object()), {}, options, decoding);
  CHECK_FALSE(decoding.knn);
}

TEST_CASE("another value on the command line is refused by name") {
  stages::Options options;
  const auto adopt = [&](std::vector<std::string> overrides) {
    stages::DecodeOptions decoding;
    decoding.search.k = 16;
    decoding.search.nprobe = 3;
    stages::adopt_settings(manifest(plain_inputs()), overrides, options, decoding);
  };
  CHECK_THROWS_WITH(adopt({"knn.k=16"}),
                    Contains("--set knn.k=16: run/decode/x was made with k 4"));
  CHECK_THROWS_AS(adopt({"knn={k: 16}"}), core::InputError);
  CHECK_THROWS_WITH(adopt({"decode.1.lambda=0.5"}), Contains("was made with lambda 0.8"));
  CHECK_THROWS_WITH(adopt({"dtype=auto"}),
                    Contains("--set dtype=auto: run/decode/x was made with"));
  adopt({"knn.nprobe=3", "inspect.knn=x", "tune.k=[3]"});  // as it was made
  auto wrong = plain_inputs();
  wrong["probing"] = "guess";
  stages::DecodeOptions decoding;
  CHECK_THROWS_WITH(stages::adopt_settings(manifest(wrong), {}, options, decoding),
                    Contains("probing"));
  wrong.erase("probing");
  CHECK_THROWS_AS(stages::adopt_settings(manifest(wrong), {}, options, decoding), core::InputError);
}
