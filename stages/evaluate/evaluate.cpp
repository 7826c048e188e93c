#include "stages/evaluate/evaluate.hpp"

#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/evaluate/comparison.hpp"
#include "stages/evaluate/report.hpp"
#include "stages/evaluate/scored_decoding.hpp"
#include "stages/shared/options/corpus_paths.hpp"

namespace knnseq::stages {

namespace {

/// Says of decodings that their datastore has made them worse than their baseline.
void warn_of_harm(obs::Log& log, const std::vector<ScoredDecoding>& decodings,
                  const std::vector<ComparedSystem>& systems) {
  constexpr double significant = 0.05;
  for (std::size_t i = 0; i < systems.size(); ++i) {
    const auto& system = systems[i];
    const auto baseline = std::ranges::find(systems, system.baseline, &ComparedSystem::name);
    if (!decodings[i].knn || baseline == systems.end() ||
        decodings[static_cast<std::size_t>(baseline - systems.begin())].knn) {
      continue;
    }
    for (const char* key : {"bleu", "chrf"}) {
      const auto* with = system.score(key);
      const auto* without = baseline->score(key);
      if (with == nullptr || without == nullptr || !with->p_value) continue;
      if (with->score >= without->score || *with->p_value >= significant) continue;
      log.warn(fmt::format(
          "{} is significantly worse than {} without kNN: {} {:.2f} and {:.2f} (p {:.4f}). Its "
          "settings do not suit this text or this datastore; knnseq tune finds better ones",
          system.name, system.baseline, with->name, with->score, without->score, *with->p_value));
      break;
    }
  }
}

void evaluate_all(runtime::StageContext& context, const Options& options) {
  std::vector<ScoredDecoding> decodings;
  std::vector<std::string> left_out;
  for (const auto& decoding : options.decode) {
    if (!decoding.reference) {
      left_out.push_back(decoding.name);
      continue;
    }
    decodings.push_back(score_decoding(context.log, options, decoding.name));
  }
  if (decodings.empty()) {
    throw core::InputError("no item of 'decode' has a reference to score with");
  }
  if (!left_out.empty()) {
    context.log.info(
        fmt::format("without a reference, so not scored: {}", fmt::join(left_out, ", ")));
  }
  const auto systems = compare_systems(decodings, options.evaluate);
  const std::string table = comparison_table(systems, options.evaluate);
  const core::Json scores = comparison_json(systems, options.evaluate);
  const auto folder = Folders(context.run_dir).evaluate;
  core::Json inputs = core::Json::object();
  for (const auto& decoding : decodings) inputs[decoding.name] = decoding.identity;
  runtime::write_results(context.run_dir, folder, "evaluate", inputs,
                         {{"scores.json", scores.dump(2) + "\n"},
                          {"scores.csv", comparison_csv(systems)},
                          {"scores.md", table}});
  context.log.event("scores", scores);
  warn_of_harm(context.log, decodings, systems);
  context.log.info(runtime::describe_written(folder, {"scores.csv", "scores.json", "scores.md"}));
  obs::print("\n" + table + "\n");
}

}  // namespace

void evaluate(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("evaluate");
  comm::on_root(context.comm, [&] { evaluate_all(context, options); });
}

}  // namespace knnseq::stages
