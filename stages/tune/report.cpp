#include "stages/tune/report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "obs/table.hpp"

namespace knnseq::stages {

using obs::Cells;

namespace {

std::string perplexity(double log_likelihood) {
  return fmt::format("{:.3f}", std::exp(-log_likelihood));
}

Cells setting_cells(const TunedSetting& setting) {
  return {std::to_string(setting.k), fmt::format("{:g}", setting.temperature),
          fmt::format("{:g}", setting.lambda), std::to_string(setting.search_width)};
}

core::Json candidate_json(const TunedCandidate& candidate, const std::string& breadth_name) {
  core::Json json = {{"name", "base"},
                     {"bleu", candidate.bleu},
                     {"chrf", candidate.chrf},
                     {"brevity_penalty", candidate.brevity_penalty}};
  if (const auto& setting = candidate.setting) {
    json.update({{"name", setting->name(breadth_name)},
                 {"k", setting->k},
                 {"temperature", plain_number(setting->temperature)},
                 {"lambda", plain_number(setting->lambda)},
                 {breadth_name, setting->search_width},
                 {"log_likelihood", setting->log_likelihood}});
  }
  return json;
}

}  // namespace

const TunedCandidate& winner(const std::vector<TunedCandidate>& candidates) {
  const TunedCandidate* best = nullptr;
  for (const auto& candidate : candidates) {
    if (!candidate.setting) continue;
    const bool better =
        best == nullptr || candidate.bleu > best->bleu ||
        (candidate.bleu == best->bleu && candidate.setting->lambda < best->setting->lambda);
    if (better) best = &candidate;
  }
  KNNSEQ_ASSERT(best != nullptr, "nothing was translated with the datastore");
  return *best;
}

std::string tune_table(const Likelihoods& likelihoods,
                       const std::vector<TunedCandidate>& candidates) {
  std::vector<Cells> lines = {{"k", "T", "lambda", likelihoods.breadth_name, "perplexity", "BLEU",
                               "chrF", "brevity penalty"}};
  for (const auto& candidate : candidates) {
    Cells cells = candidate.setting ? setting_cells(*candidate.setting) : Cells{"base", "", "", ""};
    cells.push_back(
        perplexity(candidate.setting ? candidate.setting->log_likelihood : likelihoods.base));
    cells.push_back(fmt::format("{:.2f}", candidate.bleu));
    cells.push_back(fmt::format("{:.2f}", candidate.chrf));
    cells.push_back(fmt::format("{:.3f}", candidate.brevity_penalty));
    lines.push_back(std::move(cells));
  }
  const auto& best = winner(candidates);
  std::string text = obs::markdown_table(lines, 1, 8);
  text += fmt::format(
      "\n{} settings measured on {} tokens; those translated are the likeliest of each k. ",
      obs::with_commas(std::ssize(likelihoods.settings)), obs::with_commas(likelihoods.tokens));
  text += fmt::format("Chosen: k {}, T {:g}, lambda {:g}, {} {}, BLEU {:.2f}\n", best.setting->k,
                      best.setting->temperature, best.setting->lambda, likelihoods.breadth_name,
                      best.setting->search_width, best.bleu);
  return text;
}

std::string tune_csv(const Likelihoods& likelihoods,
                     const std::vector<TunedCandidate>& candidates) {
  const auto line = [&](const Cells& setting, double log_likelihood,
                        const TunedCandidate* translated) {
    Cells cells = setting;
    cells.push_back(fmt::format("{:.9f}", log_likelihood));
    cells.push_back(perplexity(log_likelihood));
    cells.push_back(translated != nullptr ? fmt::format("{:.6f}", translated->bleu) : "");
    cells.push_back(translated != nullptr ? fmt::format("{:.6f}", translated->chrf) : "");
    return obs::csv_line(cells);
  };
  const auto translated = [&](const TunedSetting* setting) {
    const auto found =
        std::find_if(candidates.begin(), candidates.end(), [&](const TunedCandidate& candidate) {
          if (setting == nullptr || !candidate.setting) return !setting && !candidate.setting;
          return candidate.setting->name("") == setting->name("");
        });
    return found == candidates.end() ? nullptr : &*found;
  };
  std::string text = obs::csv_line({"k", "temperature", "lambda", likelihoods.breadth_name,
                                    "log_likelihood", "perplexity", "bleu", "chrf"});
  text += line({"0", "", "0", ""}, likelihoods.base, translated(nullptr));
  for (const auto& setting : likelihoods.settings) {
    text += line(setting_cells(setting), setting.log_likelihood, translated(&setting));
  }
  return text;
}

std::string tuned_yaml(const Likelihoods& likelihoods,
                       const std::vector<TunedCandidate>& candidates) {
  const auto& best = winner(candidates);
  return fmt::format(
      "# Found by `knnseq tune` among {} settings: BLEU {:.2f} on its validation set.\n"
      "knn:\n  k: {}\n  temperature: {:g}\n  lambda: {:g}\n{}{}: {}\n",
      likelihoods.settings.size(), best.bleu, best.setting->k, best.setting->temperature,
      best.setting->lambda, likelihoods.breadth_name == "nprobe" ? "  " : "subset:\n  ",
      likelihoods.breadth_name, best.setting->search_width);
}

core::Json tune_json(const Likelihoods& likelihoods,
                     const std::vector<TunedCandidate>& candidates) {
  core::Json translated = core::Json::array();
  for (const auto& candidate : candidates)
    translated.push_back(candidate_json(candidate, likelihoods.breadth_name));
  return {{"grid", to_json(likelihoods)},
          {"translated", translated},
          {"chosen", candidate_json(winner(candidates), likelihoods.breadth_name)}};
}

}  // namespace knnseq::stages
