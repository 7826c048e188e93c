#include "stages/evaluate/report.hpp"

#include <algorithm>
#include <cmath>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "obs/progress_meter.hpp"
#include "obs/table.hpp"

namespace knnseq::stages {

using obs::Cells;

namespace {

std::string with_interval(const MetricFigures& figures) {
  if (!figures.interval) return fmt::format("{:.2f}", figures.score);
  return fmt::format("{:.2f} ({:.2f} ± {:.2f})", figures.score, figures.interval->mean,
                     figures.interval->half_width);
}

std::string cell(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "";
}

std::string p_cell(const ComparedSystem& system, const MetricFigures& figures) {
  return system.identical ? (figures.p_value ? "1 (identical)" : "identical")
                          : cell(figures.p_value, 4);
}

std::string signature(std::string of_metric, const EvaluateOptions& options) {
  if (options.resamples == 0) return of_metric;
  return fmt::format("bs:{}|seed:{}|", options.resamples, options.seed) + of_metric;
}

core::Json figures_json(const MetricFigures& figures) {
  core::Json json = {{"score", figures.score}};
  if (figures.interval) {
    json["mean"] = figures.interval->mean;
    json["ci"] = figures.interval->half_width;
  }
  if (figures.p_value) json["p_value"] = *figures.p_value;
  return json;
}

}  // namespace

std::string comparison_table(const std::vector<ComparedSystem>& systems,
                             const EvaluateOptions& options) {
  std::vector<Cells> lines = {{"decoding", "sentences", "BLEU", "p", "chrF", "p", "tokens/s",
                               "brevity penalty", "settings"}};
  for (const auto& system : systems) {
    const auto speed = system.tokens_per_second;
    lines.push_back({system.name, obs::with_commas(system.sentences), with_interval(system.bleu),
                     p_cell(system, system.bleu), with_interval(system.chrf),
                     p_cell(system, system.chrf),
                     speed ? obs::with_commas(std::llround(*speed)) : "",
                     fmt::format("{:.3f}", system.brevity_penalty), system.settings});
  }
  std::string text = obs::markdown_table(lines, 1, 8) + "\n";
  if (options.resamples > 0) {
    std::set<std::string> baselines;
    for (const auto& system : systems) baselines.insert(system.baseline);
    text += fmt::format(
        "In parentheses: mean and 95 % interval over {} bootstrap resamples. p: of the difference "
        "from the baseline of the same test set ({}), by paired bootstrap.\n",
        options.resamples, fmt::join(baselines, ", "));
  }
  if (std::ranges::any_of(systems, &ComparedSystem::identical)) {
    text += "Identical: byte for byte the translations of the baseline.\n";
  }
  return text + fmt::format("BLEU {}\nchrF {}\n", signature(metrics::bleu_signature(), options),
                            signature(metrics::chrf_signature(), options));
}

std::string comparison_csv(const std::vector<ComparedSystem>& systems) {
  std::string text =
      obs::csv_line({"name", "sentences", "baseline", "bleu", "bleu_mean", "bleu_ci",
                     "bleu_p_value", "chrf", "chrf_mean", "chrf_ci", "chrf_p_value",
                     "brevity_penalty", "tokens_per_second", "settings", "identical"});
  for (const auto& system : systems) {
    Cells cells = {system.name, std::to_string(system.sentences), system.baseline};
    for (const auto& figures : {system.bleu, system.chrf}) {
      std::optional<double> mean, half_width;
      if (figures.interval) {
        mean = figures.interval->mean;
        half_width = figures.interval->half_width;
      }
      for (const auto& value : {std::optional(figures.score), mean, half_width, figures.p_value}) {
        cells.push_back(cell(value, 6));
      }
    }
    cells.push_back(cell(system.brevity_penalty, 6));
    cells.push_back(cell(system.tokens_per_second, 3));
    cells.push_back(system.settings);
    cells.push_back(system.identical ? "true" : "");
    text += obs::csv_line(cells);
  }
  return text;
}

core::Json comparison_json(const std::vector<ComparedSystem>& systems,
                           const EvaluateOptions& options) {
  core::Json scores = core::Json::array();
  for (const auto& system : systems) {
    core::Json json = {{"name", system.name},
                       {"settings", system.settings},
                       {"sentences", system.sentences},
                       {"baseline", system.baseline},
                       {"bleu", figures_json(system.bleu)},
                       {"chrf", figures_json(system.chrf)},
                       {"brevity_penalty", system.brevity_penalty}};
    if (system.identical) json["identical"] = true;
    if (system.tokens_per_second) json["tokens_per_second"] = *system.tokens_per_second;
    scores.push_back(json);
  }
  return {{"bleu_signature", signature(metrics::bleu_signature(), options)},
          {"chrf_signature", signature(metrics::chrf_signature(), options)},
          {"resamples", options.resamples},
          {"seed", options.seed},
          {"scores", scores}};
}

}  // namespace knnseq::stages
