#include <array>
#include <span>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "core/error.hpp"
#include "fixture.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"

using namespace knnseq;
using Catch::Contains;

namespace {

void check_score(double value, double expected) {
  CHECK(value == Approx(expected).epsilon(1e-12).margin(0));
}

template <class T, std::size_t N>
std::array<T, N> array_of(const core::Json& json) {
  return json.get<std::array<T, N>>();
}

}  // namespace

TEST_CASE("BLEU and chrF are sacrebleu's") {
  const auto hypotheses = metrics_lines("hypotheses.txt");
  const auto references = metrics_lines("references.txt");
  const core::Json subsets = core::read_json(metrics_data("figures.json")).at("subsets");
  REQUIRE(subsets.size() > 10);
  for (const auto& [name, figures] : subsets.items()) {
    INFO(name);
    const auto lines = array_of<std::size_t, 2>(figures.at("lines"));
    const auto ours = std::span(hypotheses).subspan(lines[0], lines[1] - lines[0]);
    const auto theirs = std::span(references).subspan(lines[0], lines[1] - lines[0]);

    const metrics::BleuScore bleu = metrics::corpus_bleu(ours, theirs);
    check_score(bleu.score, figures.at("bleu_score").get<double>());
    check_score(bleu.brevity_penalty, figures.at("brevity_penalty").get<double>());
    const auto precisions = array_of<double, 4>(figures.at("bleu_precisions"));
    for (std::size_t n = 0; n < 4; ++n) check_score(bleu.precisions[n], precisions[n]);
    CHECK(bleu.counts == array_of<std::int64_t, 4>(figures.at("bleu_counts")));
    CHECK(bleu.totals == array_of<std::int64_t, 4>(figures.at("bleu_totals")));
    CHECK(bleu.hypothesis_length == figures.at("sys_len").get<std::int64_t>());
    CHECK(bleu.reference_length == figures.at("ref_len").get<std::int64_t>());

    check_score(metrics::corpus_chrf(ours, theirs), figures.at("chrf_score").get<double>());
  }
}

TEST_CASE("signatures differ from sacrebleu's in the version only") {
  const core::Json figures = core::read_json(metrics_data("figures.json"));
  const auto ours = [&](const char* key) {
    const auto theirs = figures.at(key).get<std::string>();
    return theirs.substr(0, theirs.rfind(':')) + ":knnseq-";
  };
  CHECK_THAT(metrics::bleu_signature(), Catch::StartsWith(ours("bleu_signature")));
  CHECK_THAT(metrics::chrf_signature(), Catch::StartsWith(ours("chrf_signature")));
}

TEST_CASE("statistics of sentences add up to the corpus's") {
  const std::vector<std::string> hypotheses{"the cat sat on the mat .", "a dog", ""};
  const std::vector<std::string> references{"the cat sat on a mat.", "the dog barks", "x"};
  metrics::BleuStatistics bleu;
  metrics::ChrfStatistics chrf;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    bleu += metrics::bleu_statistics(hypotheses[i], references[i]);
    chrf += metrics::chrf_statistics(hypotheses[i], references[i]);
  }
  CHECK(metrics::bleu_score(bleu).score == metrics::corpus_bleu(hypotheses, references).score);
  CHECK(metrics::chrf_score(chrf) == metrics::corpus_chrf(hypotheses, references));
  CHECK(bleu.reference_length == 11);
}

TEST_CASE("nothing to score, lines that do not pair up, and bad bytes") {
  CHECK(metrics::corpus_bleu({}, {}).score == 0);
  CHECK(metrics::corpus_chrf({}, {}) == 0);
  const std::vector<std::string> one{"a"};
  const std::vector<std::string> two{"a", "b"};
  CHECK_THROWS_WITH(metrics::corpus_bleu(one, two), Contains("1 hypotheses, but 2 references"));
  CHECK_THROWS_AS(metrics::corpus_chrf(one, two), core::InputError);
  const std::vector<std::string> bad{"a", "\xC3"};
  CHECK_THROWS_WITH(metrics::corpus_bleu(two, bad), Contains("line 2"));
  CHECK_THROWS_WITH(metrics::corpus_chrf(bad, two), Contains("line 2"));
}
