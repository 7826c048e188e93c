#include "stages/evaluate/comparison.hpp"

#include <algorithm>
#include <cmath>

namespace knnseq::stages {

namespace {

/// A score of a system, and what it is compared with.
struct Pair {
  const DecodingScore& mine;
  const DecodingScore* baseline;  ///< null: there is none
  bool identical = false;
};

ScoreFigures figures(const Pair& pair, const metrics::Resamples& resamples) {
  const DecodingScore& score = pair.mine;
  ScoreFigures result{score.key, score.name, score.signature, score.digits, score.scores->total(),
                      {},        {}};
  const auto mine = score.scores->of_resamples(resamples);
  if (mine.empty()) return result;
  result.interval = metrics::interval_95(mine);
  if (pair.identical) {
    result.p_value = 1;
  } else if (pair.baseline != nullptr) {
    const auto& other = *pair.baseline->scores;
    result.p_value = metrics::paired_p_value(other.of_resamples(resamples), mine,
                                             std::abs(other.total() - result.score));
  }
  return result;
}

const DecodingScore* find_score(const ScoredDecoding& system, const std::string& key) {
  const auto found = std::ranges::find(system.scores, key, &DecodingScore::key);
  return found == system.scores.end() ? nullptr : &*found;
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

const ScoreFigures* ComparedSystem::score(const std::string& key) const {
  const auto found = std::ranges::find(scores, key, &ScoreFigures::key);
  return found == scores.end() ? nullptr : &*found;
}

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
    const metrics::Resamples resamples(options.resamples, system.sentences, options.seed);
    const bool compared = &baseline != &system;
    const bool identical = compared && baseline.translations == system.translations;
    ComparedSystem row{.name = system.name,
                       .settings = describe(system, systems),
                       .machine = system.machine,
                       .sentences = system.sentences,
                       .baseline = baseline.name,
                       .identical = identical,
                       .scores = {},
                       .brevity_penalty = system.brevity_penalty,
                       .tokens_per_second = system.tokens_per_second};
    for (const auto& score : system.scores) {
      const auto* other = compared ? find_score(baseline, score.key) : nullptr;
      row.scores.push_back(figures({score, other, identical}, resamples));
    }
    result.push_back(std::move(row));
  }
  return result;
}

}  // namespace knnseq::stages
