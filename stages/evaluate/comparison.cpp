#include "stages/evaluate/comparison.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace knnseq::stages {

namespace {

template <class Statistics>
using ScoreOf = std::function<double(const Statistics&)>;

double bleu_of(const metrics::BleuStatistics& statistics) {
  return metrics::bleu_score(statistics).score;
}

template <class Statistics>
Statistics sum(const std::vector<Statistics>& of_sentence) {
  Statistics total;
  for (const auto& statistics : of_sentence) total += statistics;
  return total;
}

/// One metric of one system, and what is compared with other systems' of it.
template <class Statistics>
struct Resampled {
  double score;
  std::vector<double> scores;  ///< of each resample

  Resampled(const std::vector<Statistics>& of_sentence, const metrics::Resamples& resamples,
            const ScoreOf<Statistics>& score_of)
      : score(score_of(sum(of_sentence))),
        scores(metrics::score_resamples<Statistics>(of_sentence, resamples, score_of)) {}
};

template <class Statistics>
MetricFigures figures(const Resampled<Statistics>& system, const Resampled<Statistics>* baseline) {
  MetricFigures result{system.score, {}, {}};
  if (system.scores.empty()) return result;
  result.interval = metrics::interval_95(system.scores);
  if (baseline != nullptr) {
    result.p_value = metrics::paired_p_value(baseline->scores, system.scores,
                                             std::abs(baseline->score - system.score));
  }
  return result;
}

template <class Statistics>
MetricFigures figures_of_identical(const Resampled<Statistics>& system) {
  MetricFigures result = figures<Statistics>(system, nullptr);
  if (result.interval) result.p_value = 1;
  return result;
}

/// Whether another decoding has the same setting with another value.
bool differs(const DecodingSetting& setting, const std::vector<ScoredDecoding>& systems) {
  return std::ranges::any_of(systems, [&](const ScoredDecoding& system) {
    const auto other = std::ranges::find(system.settings, setting.name, &DecodingSetting::name);
    return other != system.settings.end() && other->value != setting.value;
  });
}

/// "kNN: k 16, nprobe 32": minor settings only where they differ.
std::string describe(const ScoredDecoding& system, const std::vector<ScoredDecoding>& systems) {
  std::string text;
  for (const auto& setting : system.settings) {
    if (setting.minor && !differs(setting, systems)) continue;
    text += (text.empty() ? ": " : ", ") + setting.name + " " + setting.value;
  }
  return system.kind + text;
}

const ScoredDecoding& baseline_of(const std::vector<const ScoredDecoding*>& test_set,
                                  const std::string& name) {
  for (const auto* system : test_set) {
    if (system->name == name) return *system;
  }
  const auto plain = std::find_if(test_set.begin(), test_set.end(),
                                  [](const ScoredDecoding* system) { return !system->knn; });
  return plain == test_set.end() ? *test_set.front() : **plain;
}

}  // namespace

std::vector<ComparedSystem> compare_systems(const std::vector<ScoredDecoding>& systems,
                                            const EvaluateOptions& options) {
  std::vector<ComparedSystem> result;
  for (const auto& system : systems) {
    std::vector<const ScoredDecoding*> test_set;
    for (const auto& other : systems) {
      if (other.test_set == system.test_set) test_set.push_back(&other);
    }
    const auto& baseline = baseline_of(test_set, options.baseline);
    // The same draws for every system of a test set, since they depend on its size and the seed.
    const metrics::Resamples resamples(options.resamples, std::ssize(system.bleu), options.seed);
    const bool identical = &baseline != &system && baseline.translations == system.translations;
    const auto compare = [&](const auto& mine, const auto& other, const auto& score_of) {
      using Statistics = typename std::decay_t<decltype(mine)>::value_type;
      const Resampled<Statistics> of_system(mine, resamples, score_of);
      if (&baseline == &system) return figures<Statistics>(of_system, nullptr);
      if (identical) return figures_of_identical<Statistics>(of_system);
      const Resampled<Statistics> of_baseline(other, resamples, score_of);
      return figures<Statistics>(of_system, &of_baseline);
    };
    result.push_back({.name = system.name,
                      .settings = describe(system, systems),
                      .machine = system.machine,
                      .sentences = std::ssize(system.bleu),
                      .baseline = baseline.name,
                      .identical = identical,
                      .bleu = compare(system.bleu, baseline.bleu, bleu_of),
                      .chrf = compare(system.chrf, baseline.chrf, metrics::chrf_score),
                      .brevity_penalty = metrics::bleu_score(sum(system.bleu)).brevity_penalty,
                      .tokens_per_second = system.tokens_per_second});
  }
  return result;
}

}  // namespace knnseq::stages
