#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "fixture.hpp"
#include "metrics/bleu.hpp"
#include "metrics/bootstrap.hpp"
#include "metrics/chrf.hpp"
#include "metrics/numpy_random.hpp"

using namespace knnseq;

namespace {

using Numbers = std::vector<std::uint32_t>;

/// sacrebleu sums in fp32 and takes logarithms of that.
void check_close(double value, const core::Json& expected) {
  CHECK(value == Approx(expected.get<double>()).epsilon(1e-6).margin(0));
}

struct System {
  std::vector<metrics::BleuStatistics> bleu;
  std::vector<metrics::ChrfStatistics> chrf;
};

System statistics(const std::vector<std::string>& hypotheses,
                  const std::vector<std::string>& references) {
  System system;
  for (std::size_t i = 0; i < hypotheses.size(); ++i) {
    system.bleu.push_back(metrics::bleu_statistics(hypotheses[i], references[i]));
    system.chrf.push_back(metrics::chrf_statistics(hypotheses[i], references[i]));
  }
  return system;
}

template <class Statistics, class Score>
void check_pair(const std::string& metric, const std::vector<Statistics>& baseline,
                const std::vector<Statistics>& system, const core::Json& figures, Score score) {
  INFO(metric);
  const auto& ours = figures.at(metric + "_system");
  const auto& base = figures.at(metric + "_baseline");
  const metrics::Resamples resamples(figures.at("resamples"), figures.at("lines"),
                                     figures.at("seed"));
  const auto scores = metrics::score_resamples<Statistics>(system, resamples, score);
  const auto base_scores = metrics::score_resamples<Statistics>(baseline, resamples, score);
  check_close(metrics::interval_95(scores).mean, ours.at("mean"));
  check_close(metrics::interval_95(scores).half_width, ours.at("ci"));
  check_close(metrics::interval_95(base_scores).mean, base.at("mean"));
  check_close(metrics::interval_95(base_scores).half_width, base.at("ci"));
  const double difference =
      std::abs(ours.at("score").get<double>() - base.at("score").get<double>());
  CHECK(metrics::paired_p_value(base_scores, scores, difference) ==
        Approx(ours.at("p_value").get<double>()).epsilon(1e-12));
}

}  // namespace

TEST_CASE("random numbers and resamples are NumPy's") {
  const core::Json figures = core::read_json(metrics_data("bootstrap.json"));
  const auto draws = [](std::uint64_t seed, std::uint32_t bound) {
    metrics::NumpyRandom random(seed);
    Numbers numbers(20);
    for (auto& number : numbers) number = random.below(bound);
    return numbers;
  };
  CHECK(draws(7, 1'000'003) == figures.at("draws_of_1000003").get<Numbers>());
  // Above half of 2^32 many draws are rejected; this seed has two words.
  CHECK(draws((1ull << 40) + 7, 3'000'000'000u) ==
        figures.at("draws_of_3000000000").get<Numbers>());
  const metrics::Resamples resamples(figures.at("resamples"), figures.at("lines"),
                                     figures.at("seed"));
  const auto row = [&](std::int64_t i) {
    return Numbers(resamples[i].begin(), resamples[i].end());
  };
  CHECK(row(0) == figures.at("first_resample").get<Numbers>());
  CHECK(row(resamples.number() - 1) == figures.at("last_resample").get<Numbers>());
}

TEST_CASE("intervals and p-values are those of sacrebleu's paired bootstrap") {
  const core::Json figures = core::read_json(metrics_data("bootstrap.json"));
  auto hypotheses = metrics_lines("hypotheses.txt");
  auto references = metrics_lines("references.txt");
  hypotheses.resize(figures.at("lines"));
  references.resize(figures.at("lines"));
  const System system = statistics(hypotheses, references);
  for (std::size_t i = 0; i < hypotheses.size(); i += 2) {
    hypotheses[i] = hypotheses[i].substr(0, hypotheses[i].rfind(' '));
  }
  const System baseline = statistics(hypotheses, references);
  check_pair("BLEU", baseline.bleu, system.bleu, figures,
             [](const auto& sum) { return metrics::bleu_score(sum).score; });
  check_pair("chrF2", baseline.chrf, system.chrf, figures, metrics::chrf_score);
}

TEST_CASE("a test set of one sentence, and a system against itself") {
  const metrics::Resamples resamples(10, 1, 3);
  for (std::int64_t i = 0; i < 10; ++i) CHECK(resamples[i][0] == 0);
  const std::vector<double> scores(10, 4.5);
  CHECK(metrics::interval_95(scores).half_width == 0);
  CHECK(metrics::interval_95(scores).mean == 4.5);
  CHECK(metrics::paired_p_value(scores, scores, 0) == Approx(1.0 / 11));
}
