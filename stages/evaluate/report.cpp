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

std::string with_interval(const ScoreFigures& figures) {
  const int digits = figures.digits;
  if (!figures.interval) return fmt::format("{:.{}f}", figures.score, digits);
  return fmt::format("{:.{}f} ({:.{}f} ± {:.{}f})", figures.score, digits, figures.interval->mean,
                     digits, figures.interval->half_width, digits);
}

/// All scores that some system has, in the order of the first; each with its name and signature.
std::vector<const ScoreFigures*> all_scores(const std::vector<ComparedSystem>& systems) {
  std::vector<const ScoreFigures*> all;
  for (const auto& system : systems) {
    for (const auto& score : system.scores) {
      const bool known = std::ranges::any_of(
          all, [&](const ScoreFigures* other) { return other->key == score.key; });
      if (!known) all.push_back(&score);
    }
  }
  return all;
}

std::string cell(const std::optional<double>& value, int digits) {
  return value ? fmt::format("{:.{}f}", *value, digits) : "";
}

std::string p_cell(const ComparedSystem& system, const ScoreFigures& figures) {
  return system.identical ? (figures.p_value ? "1 (identical)" : "identical")
                          : cell(figures.p_value, 4);
}

std::string signature(const ScoreFigures& score, const EvaluateOptions& options) {
  if (options.resamples == 0) return score.signature;
  return fmt::format("bs:{}|seed:{}|{}", options.resamples, options.seed, score.signature);
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

core::Json figures_json(const ScoreFigures& figures) {
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
  const auto scores = all_scores(systems);
  Cells head = {"decoding", "sentences"};
  for (const auto* score : scores) head.insert(head.end(), {score->name, "p"});
  head.insert(head.end(), {"tokens/s", "ranks × threads", "brevity penalty", "settings"});
  std::vector<Cells> lines = {head};
  for (const auto& system : systems) {
    const auto speed = system.tokens_per_second;
    Cells cells = {system.name, obs::with_commas(system.sentences)};
    for (const auto* score : scores) {
      const auto* mine = system.score(score->key);
      cells.push_back(mine != nullptr ? with_interval(*mine) : "");
      cells.push_back(mine != nullptr ? p_cell(system, *mine) : "");
    }
    cells.insert(cells.end(),
                 {speed ? obs::with_commas(std::llround(*speed)) : "", machine_cell(system.machine),
                  cell(system.brevity_penalty, 3), system.settings});
    lines.push_back(std::move(cells));
  }
  std::string text = obs::markdown_table(lines, 1, head.size() - 1) + "\n";
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
  for (const auto* score : scores) {
    if (score->key == "ter") text += "TER counts edits: less is better.\n";
    text += fmt::format("{} {}\n", score->name,
                        score->signature.empty() ? "was made by another program: mean of its lines"
                                                 : signature(*score, options));
  }
  return text;
}

std::string comparison_csv(const std::vector<ComparedSystem>& systems) {
  const auto scores = all_scores(systems);
  Cells head = {"name", "sentences", "baseline"};
  for (const auto* score : scores) {
    for (const char* column : {"", "_mean", "_ci", "_p_value"}) {
      head.push_back(score->key + column);
    }
  }
  head.insert(head.end(), {"brevity_penalty", "tokens_per_second", "ranks", "threads", "device",
                           "processors", "settings", "identical"});
  std::string text = obs::csv_line(head);
  for (const auto& system : systems) {
    Cells cells = {system.name, std::to_string(system.sentences), system.baseline};
    for (const auto* score : scores) {
      std::optional<double> value, mean, half_width, p_value;
      if (const auto* mine = system.score(score->key)) {
        value = mine->score;
        p_value = mine->p_value;
        if (mine->interval) {
          mean = mine->interval->mean;
          half_width = mine->interval->half_width;
        }
      }
      for (const auto& figure : {value, mean, half_width, p_value}) {
        cells.push_back(cell(figure, 6));
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
                       {"baseline", system.baseline}};
    if (system.brevity_penalty) json["brevity_penalty"] = *system.brevity_penalty;
    for (const auto& score : system.scores) json[score.key] = figures_json(score);
    if (system.identical) json["identical"] = true;
    if (system.tokens_per_second) json["tokens_per_second"] = *system.tokens_per_second;
    const auto& [ranks, threads, device, processors] = system.machine;
    if (ranks > 0) json["ranks"] = ranks;
    json["threads"] = threads;
    json["device"] = device;
    if (!processors.empty()) json["processors"] = processors;
    scores.push_back(json);
  }
  core::Json json = {{"resamples", options.resamples}, {"seed", options.seed}, {"scores", scores}};
  for (const auto* score : all_scores(systems)) {
    if (score->signature.empty()) continue;
    json[score->key + "_signature"] = signature(*score, options);
  }
  return json;
}

}  // namespace knnseq::stages
