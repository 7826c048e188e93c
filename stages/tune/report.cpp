#include "stages/tune/report.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "obs/table.hpp"

namespace knnseq::stages {

using obs::Cells;
using retrieval::PolicyKind;

namespace {

std::string perplexity(double log_likelihood) {
  return fmt::format("{:.3f}", std::exp(-log_likelihood));
}

Cells setting_cells(const TunedSetting& setting) {
  return {std::to_string(setting.k), fmt::format("{:g}", setting.temperature),
          fmt::format("{:g}", setting.lambda), std::to_string(setting.search_width)};
}

Cells candidate_cells(const TunedCandidate& candidate) {
  if (!candidate.setting) return {"base", "", "", "", ""};
  Cells cells = setting_cells(*candidate.setting);
  if (candidate.policy) {
    const auto& policy = *candidate.policy;
    const bool learned = retrieval::is_learned(policy.policy);
    cells[1] = learned ? "" : fmt::format("{:g}", policy.temperature);
    cells[2] = learned ? "" : fmt::format("tau {:g}", policy.tau);
  }
  std::string policy(
      core::name_of(candidate.policy ? candidate.policy->policy : PolicyKind::fixed));
  if (candidate.length_penalty) {
    policy += fmt::format(", length penalty {:g}", *candidate.length_penalty);
  }
  cells.insert(cells.begin(), std::move(policy));
  return cells;
}

core::Json scores_json(const Scores& scores) {
  return {
      {"bleu", scores.bleu}, {"chrf", scores.chrf}, {"brevity_penalty", scores.brevity_penalty}};
}

core::Json candidate_json(const TunedCandidate& candidate, const std::string& breadth_name) {
  core::Json json = scores_json(candidate.scores);
  json["name"] = candidate.name(breadth_name);
  if (candidate.general) json["general"] = scores_json(*candidate.general);
  const auto& setting = candidate.setting;
  if (!setting) return json;
  json.update({{"k", setting->k}, {breadth_name, setting->search_width}});
  if (candidate.length_penalty) json["length_penalty"] = *candidate.length_penalty;
  if (candidate.other_width) json["other_width"] = true;
  if (candidate.gate)
    json.update({{"share", candidate.gate->share}, {"skip", candidate.gate->skip}});
  const auto policy = candidate.policy ? candidate.policy->policy : PolicyKind::fixed;
  json["policy"] = core::name_of(policy);
  if (policy == PolicyKind::fixed) {
    json.update({{"temperature", plain_number(setting->temperature)},
                 {"lambda", plain_number(setting->lambda)},
                 {"log_likelihood", setting->log_likelihood}});
  } else if (policy == PolicyKind::distance) {
    json.update({{"temperature", candidate.policy->temperature}, {"tau", candidate.policy->tau}});
  }
  return json;
}

double score_of(const Scores& scores, TuneMetric by) {
  return by == TuneMetric::bleu ? scores.bleu : scores.chrf;
}

/// Whether it is a setting of the grid.
bool is_fixed(const TunedCandidate& candidate) {
  return candidate.setting && !candidate.policy && !candidate.gate && !candidate.length_penalty;
}

/// Whether a candidate costs at most 0.1 in each text.
bool is_near(const TunedCandidate& candidate, const TunedCandidate& best, TuneMetric by) {
  constexpr double most_cost = 0.1;
  const auto near = [&](const Scores& scores, const Scores& of_best) {
    return score_of(scores, by) >= score_of(of_best, by) - most_cost;
  };
  return near(candidate.scores, best.scores) &&
         (!candidate.general || near(*candidate.general, *best.general));
}

/// The winner at all search widths that it was tried with, ascending.
std::vector<const TunedCandidate*> of_all_widths(const TuneResult& result) {
  std::vector<const TunedCandidate*> widths = {&winner(result)};
  for (const auto& candidate : result.candidates) {
    if (candidate.other_width) widths.push_back(&candidate);
  }
  std::sort(widths.begin(), widths.end(), [](const auto* a, const auto* b) {
    return a->setting->search_width < b->setting->search_width;
  });
  return widths;
}

/// What it costs to search less, and what it gives. Each row: what a candidate is called.
std::string costs_table(const std::string& heading,
                        const std::vector<std::pair<std::string, const TunedCandidate*>>& rows) {
  const bool general = rows.front().second->general.has_value();
  const bool skips = rows.back().second->gate.has_value();
  std::vector<Cells> lines = {{heading}};
  const auto add = [&](Cells& cells, const Scores* scores, const std::string& of) {
    const auto cell = [&](const std::string& name, const std::string& value) {
      cells.push_back(scores == nullptr ? of + name : value);
    };
    const Scores shown = scores == nullptr ? Scores{} : *scores;
    if (skips) {
      cell("queries skipped", fmt::format("{:.1f} %", 100 * shown.skipped.value_or(0)));
    }
    cell("BLEU", fmt::format("{:.2f}", shown.bleu));
    cell("chrF", fmt::format("{:.2f}", shown.chrf));
    cell("tokens/s",
         shown.tokens_per_second ? fmt::format("{:.0f}", *shown.tokens_per_second) : "");
  };
  add(lines.front(), nullptr, "");
  if (general) add(lines.front(), nullptr, "general ");
  for (const auto& [name, candidate] : rows) {
    lines.push_back({name});
    add(lines.back(), &candidate->scores, "");
    if (general) add(lines.back(), &*candidate->general, "");
  }
  return fmt::format("\n{}", obs::markdown_table(lines, 0, std::ssize(lines.front())));
}

/// How likely the held-out sentences are under each policy.
std::string policies_table(const TunedPolicies& tuned) {
  std::vector<Cells> lines = {{"policy", "held-out perplexity", "epochs"},
                              {"base", perplexity(tuned.model), ""}};
  for (const auto& policy : tuned.policies) {
    lines.push_back({std::string(core::name_of(policy.policy)),
                     perplexity(policy.held_out_log_likelihood),
                     retrieval::is_learned(policy.policy) ? std::to_string(policy.epochs) : ""});
  }
  return fmt::format("\n{}\nPolicies were fitted to {} tokens and measured on {} held-out ones.\n",
                     obs::markdown_table(lines, 1, 3),
                     obs::with_commas(tuned.tokens - tuned.held_out),
                     obs::with_commas(tuned.held_out));
}

std::string widths_table(const TuneResult& result) {
  const auto& breadth_name = result.likelihoods.breadth_name;
  std::vector<std::pair<std::string, const TunedCandidate*>> rows;
  for (const auto* candidate : of_all_widths(result)) {
    rows.emplace_back(std::to_string(candidate->setting->search_width), candidate);
  }
  return costs_table(breadth_name, rows) + fmt::format("\nRecommended: {} {}\n", breadth_name,
                                                       narrowest(result).setting->search_width);
}

std::string gates_table(const TuneResult& result) {
  std::vector<std::pair<std::string, const TunedCandidate*>> rows = {{"off", &narrowest(result)}};
  for (const auto& candidate : result.candidates) {
    if (candidate.gate) rows.emplace_back(fmt::format("{:.4g}", candidate.gate->skip), &candidate);
  }
  const auto& best = recommended(result);
  return costs_table("skip", rows) +
         (best.gate ? fmt::format("\nRecommended: skip {:.4g}\n", best.gate->skip)
                    : "\nEach costs more than 0.1: none is recommended.\n");
}

}  // namespace

std::string TunedCandidate::name(const std::string& breadth_name) const {
  if (!setting) return "base";
  std::string name = setting->name(breadth_name);
  if (policy) {
    name = fmt::format("{}-k{}-{}{}", core::name_of(policy->policy), setting->k, breadth_name,
                       setting->search_width);
  }
  if (length_penalty) name += fmt::format("-length_penalty{:g}", *length_penalty);
  return gate ? fmt::format("{}-skip{:g}", name, gate->share) : name;
}

double TunedCandidate::decisive(TuneMetric by) const {
  const double own = score_of(scores, by);
  return general ? (own + score_of(*general, by)) / 2 : own;
}

std::string score_name(const TuneResult& result) {
  const bool mean = !result.candidates.empty() && result.candidates.front().general.has_value();
  return std::string(mean ? "mean " : "") + (result.by == TuneMetric::bleu ? "BLEU" : "chrF");
}

const TunedCandidate& winner(const TuneResult& result) {
  const bool general = result.candidates.front().general.has_value();
  const TunedCandidate* best = nullptr;
  for (const auto& candidate : result.candidates) {
    if (!candidate.setting || candidate.gate || candidate.other_width) continue;
    if (general && !candidate.general) continue;
    const double score = candidate.decisive(result.by);
    const double best_score = best == nullptr ? 0 : best->decisive(result.by);
    const bool better = best == nullptr || score > best_score ||
                        (score == best_score && is_fixed(candidate) && is_fixed(*best) &&
                         candidate.setting->lambda < best->setting->lambda);
    if (better) best = &candidate;
  }
  KNNSEQ_ASSERT(best != nullptr, "nothing was translated with the datastore");
  return *best;
}

const TunedCandidate& narrowest(const TuneResult& result) {
  const TunedCandidate* best = &winner(result);
  const auto widths = of_all_widths(result);
  for (const auto* candidate : widths) {
    if (candidate->decisive(result.by) > best->decisive(result.by)) best = candidate;
  }
  for (const auto* candidate : widths) {  // ascending
    if (is_near(*candidate, *best, result.by)) return *candidate;
  }
  return *best;
}

const TunedCandidate& recommended(const TuneResult& result) {
  const TunedCandidate& all = narrowest(result);
  const TunedCandidate* best = &all;
  for (const auto& candidate : result.candidates) {  // by ascending shares
    if (candidate.gate && is_near(candidate, all, result.by)) best = &candidate;
  }
  return *best;
}

std::string tune_table(const TuneResult& result) {
  const auto& likelihoods = result.likelihoods;
  const bool general = result.candidates.front().general.has_value();
  std::vector<Cells> lines = {{"policy", "k", "T", "lambda", likelihoods.breadth_name, "perplexity",
                               "BLEU", "chrF", "brevity penalty"}};
  if (general) lines.front().insert(lines.front().end(), {"general BLEU", "general chrF"});
  for (const auto& candidate : result.candidates) {
    if (candidate.gate || candidate.other_width) continue;
    Cells cells = candidate_cells(candidate);
    cells.push_back(candidate.policy    ? ""
                    : candidate.setting ? perplexity(candidate.setting->log_likelihood)
                                        : perplexity(likelihoods.base));
    cells.push_back(fmt::format("{:.2f}", candidate.scores.bleu));
    cells.push_back(fmt::format("{:.2f}", candidate.scores.chrf));
    cells.push_back(fmt::format("{:.3f}", candidate.scores.brevity_penalty));
    if (candidate.general) {
      cells.push_back(fmt::format("{:.2f}", candidate.general->bleu));
      cells.push_back(fmt::format("{:.2f}", candidate.general->chrf));
    } else if (general) {
      cells.insert(cells.end(), 2, "");
    }
    lines.push_back(std::move(cells));
  }
  const auto& best = winner(result);
  std::string text = obs::markdown_table(lines, 1, std::ssize(lines.front()));
  text += fmt::format(
      "\n{} settings measured on {} tokens; those translated are the likeliest of each k.\n",
      obs::with_commas(std::ssize(likelihoods.settings)), obs::with_commas(likelihoods.tokens));
  if (result.policies) text += policies_table(*result.policies);
  const Cells chosen = candidate_cells(best);
  text += fmt::format("\nChosen by {}: {}, k {}", score_name(result), chosen[0], chosen[1]);
  if (!chosen[2].empty()) text += ", T " + chosen[2];
  if (!chosen[3].empty()) text += (best.policy ? ", " : ", lambda ") + chosen[3];
  text +=
      fmt::format(", {} {}, BLEU {:.2f}", likelihoods.breadth_name, chosen[4], best.scores.bleu);
  if (best.general) text += fmt::format(", general BLEU {:.2f}", best.general->bleu);
  text += "\n";
  if (of_all_widths(result).size() > 1) text += widths_table(result);
  if (result.candidates.back().gate) text += gates_table(result);
  return text;
}

std::string tune_csv(const TuneResult& result) {
  const auto& likelihoods = result.likelihoods;
  const auto line = [&](const Cells& setting, double log_likelihood,
                        const TunedCandidate* translated) {
    Cells cells = setting;
    cells.push_back(fmt::format("{:.9f}", log_likelihood));
    cells.push_back(perplexity(log_likelihood));
    cells.push_back(translated != nullptr ? fmt::format("{:.6f}", translated->scores.bleu) : "");
    cells.push_back(translated != nullptr ? fmt::format("{:.6f}", translated->scores.chrf) : "");
    return obs::csv_line(cells);
  };
  const auto translated = [&](const TunedSetting* setting) {
    const auto found = std::find_if(result.candidates.begin(), result.candidates.end(),
                                    [&](const TunedCandidate& candidate) {
                                      if (setting == nullptr || !is_fixed(candidate))
                                        return !setting && !candidate.setting;
                                      return candidate.setting->name("") == setting->name("");
                                    });
    return found == result.candidates.end() ? nullptr : &*found;
  };
  std::string text = obs::csv_line({"k", "temperature", "lambda", likelihoods.breadth_name,
                                    "log_likelihood", "perplexity", "bleu", "chrf"});
  text += line({"0", "", "0", ""}, likelihoods.base, translated(nullptr));
  for (const auto& setting : likelihoods.settings) {
    text += line(setting_cells(setting), setting.log_likelihood, translated(&setting));
  }
  return text;
}

std::string tuned_yaml(const TuneResult& result) {
  const auto& best = recommended(result);
  const bool subsets = result.likelihoods.breadth_name != "nprobe";
  const auto policy = best.policy ? best.policy->policy : PolicyKind::fixed;
  const bool learned = retrieval::is_learned(policy);
  const bool by_distance = policy == PolicyKind::distance;
  std::vector<std::pair<std::string, std::string>> keys;
  // What does not apply is said too: it takes the place of what a config has.
  const auto put = [&](const char* key, bool applies, const auto& value) {
    keys.emplace_back(key, applies ? value() : "~");
  };
  put("k", true, [&] { return std::to_string(best.setting->k); });
  if (!subsets) put("nprobe", true, [&] { return std::to_string(best.setting->search_width); });
  put("policy", true, [&] { return std::string(core::name_of(policy)); });
  put("temperature", !learned, [&] {
    return fmt::format("{:g}", by_distance ? best.policy->temperature : best.setting->temperature);
  });
  put("lambda", !learned && !by_distance,
      [&] { return fmt::format("{:g}", best.setting->lambda); });
  put("tau", by_distance, [&] { return fmt::format("{:g}", best.policy->tau); });
  put("network", learned, [&] { return core::Json(best.policy->network.string()).dump(); });
  put("gate", best.gate.has_value(), [&] { return core::Json(best.gate->file.string()).dump(); });
  put("skip", best.gate.has_value(), [&] { return fmt::format("{}", best.gate->skip); });
  const auto length_penalty =
      best.length_penalty ? fmt::format("  length_penalty: {:g}\n", *best.length_penalty) : "";

  std::string yaml = fmt::format(
      "# Found by `knnseq tune` among {} settings{}: BLEU {:.2f} on its validation set.\n",
      result.likelihoods.settings.size(), result.policies ? " and the policies" : "",
      best.scores.bleu);
  yaml += subsets ? fmt::format("subset:\n  sentences: {}\n  decode:\n", best.setting->search_width)
                  : "knn:\n";
  const std::string indent = subsets ? "    " : "  ";
  for (const auto& [key, value] : keys) yaml += fmt::format("{}{}: {}\n", indent, key, value);
  if (length_penalty.empty()) return yaml;
  return yaml + (subsets ? "  " : "beam_search:\n") + length_penalty;
}

core::Json tune_json(const TuneResult& result) {
  core::Json translated = core::Json::array();
  const auto& breadth_name = result.likelihoods.breadth_name;
  for (const auto& candidate : result.candidates) {
    translated.push_back(candidate_json(candidate, breadth_name));
  }
  core::Json json = {{"grid", to_json(result.likelihoods)},
                     {"translated", translated},
                     {"chosen", candidate_json(winner(result), breadth_name)},
                     {"recommended", candidate_json(recommended(result), breadth_name)}};
  if (result.policies) json["policies"] = to_json(*result.policies);
  return json;
}

}  // namespace knnseq::stages
