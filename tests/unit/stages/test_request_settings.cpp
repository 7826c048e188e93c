// What a request may say of kNN, and what comes of it.
#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "stages/shared/search/decoding_settings.hpp"
#include "stages/shared/translation/json_request.hpp"
#include "stages/shared/translation/request_settings.hpp"

using namespace knnseq;
using Catch::Matchers::Contains;

namespace {

stages::DecodeOptions with(const core::Json& knn, const std::string& metric = "l2") {
  stages::DecodeOptions decoding;
  decoding.search.k = 8;
  decoding.interpolation.temperature = 20;
  return stages::with_settings(decoding, knn, metric);
}

}  // namespace

TEST_CASE("a request changes what it names") {
  CHECK_FALSE(with(false).knn);
  CHECK(with(true).knn);
  CHECK(with(nullptr).search.k == 8);
  const auto changed = with({{"k", 3}, {"lambda", 0.25}, {"temperature", 7}, {"threshold", -9}});
  CHECK(changed.search.k == 3);
  CHECK(changed.interpolation.lambda == 0.25F);
  CHECK(changed.interpolation.temperature == 7);
  CHECK(changed.interpolation.threshold == -9.0F);
  CHECK_FALSE(with({{"threshold", nullptr}}).interpolation.threshold);
  const auto distance = with({{"policy", "distance"}, {"tau", 90}, {"mode", "subset"}});
  CHECK(distance.interpolation.policy == retrieval::PolicyKind::distance);
  CHECK(distance.interpolation.tau == 90);
  CHECK(distance.mode == stages::KnnMode::subset);
  stages::DecodeOptions base;
  base.knn = false;
  CHECK(stages::with_settings(base, {{"k", 2}}, "l2").knn);
}

TEST_CASE("a request is refused by the field that is wrong") {
  const std::vector<std::pair<core::Json, std::string>> wrong = {
      {3, "knn must be true, false or an object"},
      {{{"kk", 1}}, "knn.kk is not known; there are mode, k"},
      {{{"k", 0}}, "k"},
      {{{"k", 1.5}}, "k"},
      {{{"lambda", 1}}, "knn.lambda 1 must lie in"},
      {{{"lambda", "x"}}, "lambda"},
      {{{"temperature", 0}}, "knn.temperature"},
      {{{"mode", "subset"}, {"nprobe", 3}}, "knn.nprobe has no effect: mode is subset"},
      {{{"mode", "memory"}, {"k", 3}}, "knn.k has no effect: mode is memory"},
      {{{"mode", "fast"}}, "knn.mode must be one of: plain, subset, memory"},
      {{{"tau", 3}}, "knn.tau has no effect: policy is fixed"},
      {{{"policy", "distance"}}, "tau is 0"},
      {{{"policy", "distance"}, {"tau", 3}, {"lambda", 0.5}}, "knn.lambda has no effect"},
      {{{"policy", "meta_k"}}, "needs knn.network in the config"},
      {{{"policy", "meta_k"}, {"temperature", 3}}, "knn.temperature has no effect"}};
  for (const auto& [knn, message] : wrong) {
    INFO(knn.dump());
    CHECK_THROWS_WITH(with(knn), Contains(message));
    CHECK_THROWS_AS(with(knn), core::InputError);
  }
  CHECK_THROWS_WITH(with({{"policy", "distance"}, {"tau", 3}}, "ip"), Contains("metric l2"));
}

TEST_CASE("requests and answers as JSON") {
  const auto read = stages::read_request(
      R"({"source": "Häuser", "prefix": "The", "nbest": 2, "trace": {"neighbours": 3}, "id": [1]})");
  CHECK(read.error.empty());
  CHECK(read.request.line == "Häuser");
  CHECK(read.request.prefix == "The");
  CHECK(read.request.trace->neighbours == 3);
  CHECK(read.request.trace->candidates == 5);
  stages::TranslationAnswer answer{{{{4, 0}, -0.5, {-0.25F, -0.75F}}}, {"x"}, {{"version", 1}}, {}};
  CHECK(stages::answer_of(read, answer) ==
        core::Json{
            {"id", {1}},
            {"text", "x"},
            {"score", -0.5},
            {"nbest",
             {{{"text", "x"}, {"score", -0.5}, {"tokens", {4, 0}}, {"log_probs", {-0.25, -0.75}}}}},
            {"trace", {{"version", 1}}}});
  answer.error = "why";
  CHECK(stages::answer_of(read, answer) ==
        core::Json{{"id", {1}}, {"error", {{"message", "why"}}}});
  CHECK_FALSE(stages::read_request(R"({"source": "a", "trace": false})").request.trace);
  for (const auto* bad : {"", "[", "3", R"({"id": 1})", R"({"source": 1})", R"({"source": "a\nb"})",
                          R"({"source": "a\u0000b"})", R"({"source": "a", "nbest": 0})",
                          R"({"source": "a", "trace": 1})", R"({"source": "a", "trace": {"n": 1}})",
                          R"({"source": "a", "sorce": "b"})", "{\"source\": \"\xff\"}"}) {
    INFO(bad);
    CHECK_FALSE(stages::read_request(bad).error.empty());
  }
  // The parser quotes what it read, cut somewhere.
  for (const auto* text : {"ä", " ä"}) {
    std::string long_text = "{\"source\": \"";
    for (int i = 0; i < 400; ++i) long_text += text;
    CHECK(stages::answer_of(stages::read_request(long_text), {}).dump().starts_with("{\"error\""));
  }
  CHECK(stages::read_request(R"({"source": 1, "id": "x"})").echoed == core::Json{{"id", "x"}});
}
