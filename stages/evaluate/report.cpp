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

/// "2 × 1", and the device if it is not the CPU; empty if the ranks are not known.
std::string machine_cell(const DecodingMachine& machine) {
  if (machine.ranks == 0) return "";
  return fmt::format("{} × {}{}", machine.ranks, machine.threads,
                     machine.device == "cpu" ? "" : " " + machine.device);
}

bool has_unlike_speeds(const std::vector<ComparedSystem>& systems) {
  const DecodingMachine* first = nullptr;
  for (const auto& system : systems) {
    if (!system.tokens_per_second) continue;
    if (first != nullptr && system.machine != *first) return true;
    first = &system.machine;
  }
  return false;
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
                               "ranks × threads", "brevity penalty", "settings"}};
  for (const auto& system : systems) {
    const auto speed = system.tokens_per_second;
    lines.push_back(
        {system.name, obs::with_commas(system.sentences), with_interval(system.bleu),
         p_cell(system, system.bleu), with_interval(system.chrf), p_cell(system, system.chrf),
         speed ? obs::with_commas(std::llround(*speed)) : "", machine_cell(system.machine),
         fmt::format("{:.3f}", system.brevity_penalty), system.settings});
  }
  std::string text = obs::markdown_table(lines, 1, 9) + "\n";
  if (options.resamples > 0) {
    std::set<std::string> baselines;
    for (const auto& system : systems) baselines.insert(system.baseline);
    text += fmt::format(
        "In parentheses: mean and 95 % interval over {} bootstrap resamples. p: of the difference "
        "from the baseline of the same test set ({}), by paired bootstrap.\n",
        options.resamples, fmt::join(baselines, ", "));
  }
  if (has_unlike_speeds(systems)) {
    text +=
        "Tokens/s do not compare: they were measured with different ranks, threads, devices or "
        "processors (evaluate/scores.csv has them).\n";
  }
  if (std::ranges::any_of(systems, &ComparedSystem::identical)) {
    text += "Identical: byte for byte the translations of the baseline.\n";
  }
  return text + fmt::format("BLEU {}\nchrF {}\n", signature(metrics::bleu_signature(), options),
                            signature(metrics::chrf_signature(), options));
}

std::string comparison_csv(const std::vector<ComparedSystem>& systems) {
  std::string text = obs::csv_line({"name", "sentences", "baseline", "bleu", "bleu_mean", "bleu_ci",
                                    "bleu_p_value", "chrf", "chrf_mean", "chrf_ci", "chrf_p_value",
                                    "brevity_penalty", "tokens_per_second", "ranks", "threads",
                                    "device", "processors", "settings", "identical"});
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
    const auto& machine = system.machine;
    cells.push_back(machine.ranks == 0 ? "" : std::to_string(machine.ranks));
    cells.push_back(std::to_string(machine.threads));
    cells.push_back(machine.device);
    cells.push_back(machine.processors);
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
    const auto& [ranks, threads, device, processors] = system.machine;
    if (ranks > 0) json["ranks"] = ranks;
    json["threads"] = threads;
    json["device"] = device;
    if (!processors.empty()) json["processors"] = processors;
    scores.push_back(json);
  }
  return {{"bleu_signature", signature(metrics::bleu_signature(), options)},
          {"chrf_signature", signature(metrics::chrf_signature(), options)},
          {"resamples", options.resamples},
          {"seed", options.seed},
          {"scores", scores}};
}

}  // namespace knnseq::stages
