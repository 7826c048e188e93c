#include "stages/tune/tune.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_record.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/decode/decode.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/tune/forced_tokens.hpp"
#include "stages/tune/heat_map.hpp"
#include "stages/tune/likelihoods.hpp"
#include "stages/tune/policies.hpp"
#include "stages/tune/report.hpp"
#include "stages/tune/validation.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// The folder below tune/ that the teacher-forced pass owns.
constexpr const char* pass_folder = "likelihoods";
constexpr const char* pass_result = "likelihoods.json";
/// Those of the policies and of the gate.
constexpr const char* policies_folder = "policies";
constexpr const char* gate_folder = "gate";

void check_options(const TuneOptions& options) {
  if (options.decoding.source.empty()) {
    throw core::InputError("tune.source and tune.reference are required: a validation set");
  }
  if (!options.decoding.datastores.empty()) {
    throw core::InputError("tune",
                           "searches this run's own datastore: knn.datastores is not for it");
  }
}

/// Where the results go: those of plain kNN and of subsets stand beside each other.
std::filesystem::path folder_of(const runtime::StageContext& context, const TuneOptions& options) {
  const Folders folders(context.run_dir);
  return options.subsets() ? folders.tune_subsets : folders.tune;
}

/// The config of a pass: the largest k, and the largest search width.
Options for_pass(const Options& options) {
  Options result = with_breadth(options, options.tune.breadths().back());
  result.tune.decoding.search.k = options.tune.k.back();
  return result;
}

runtime::StageOutcome run_pass(runtime::StageContext& context, const Options& options,
                               const std::filesystem::path& folder, Resident& resident) {
  auto& comm = context.comm;
  const auto validation = read_validation(context, options, Texts::own, folder, resident);
  const auto forced = force_tokens(context, options, validation.text,
                                   {*validation.model, *validation.tokenizer});
  std::vector<index::TopK> neighbours;
  for (const auto search_width : options.tune.breadths()) {
    const Options one = with_breadth(options, search_width);
    const auto data = check_data(context, one, one.tune.decoding);
    auto mixer = open_mixer(context, one, one.tune.decoding, data, resident);
    neighbours.push_back(find_neighbours(context, forced, mixer, one.tune.decoding.search.k));
  }
  const auto likelihoods = measure_likelihoods(comm, options.tune, forced, neighbours);
  runtime::StageOutcome outcome{core::Json::object(), {"tokens", forced.count(), 0}};
  comm::on_root(comm, [&] {
    core::write_file_durably(folder / pass_result, to_json(likelihoods).dump(1) + "\n");
    outcome.content["files"] = runtime::describe_files(folder, {pass_result});
  });
  return outcome;
}

/// The pass as a stage, skipped if it is done.
Likelihoods likelihoods_of(runtime::StageContext& context, const Options& options,
                           Resident& resident) {
  core::Json inputs = validation_inputs(context, options, Texts::own);
  inputs.update({{"k", options.tune.k},
                 {"temperature", options.tune.temperature},
                 {"lambda", options.tune.lambda},
                 {options.tune.breadth_name(), options.tune.breadths()}});
  const auto folder = folder_of(context, options.tune) / pass_folder;
  runtime::run_stage(context, {"tune-likelihoods",
                               folder,
                               inputs,
                               [&] { return run_pass(context, options, folder, resident); },
                               {pass_result, unpacked_text + std::string("/")}});
  Likelihoods likelihoods;
  comm::agree(context.comm, [&] {
    const auto manifest = runtime::require_manifest(folder, "tune-likelihoods", "tune");
    const auto file = runtime::require_file(folder, manifest, pass_result, "tune");
    likelihoods = likelihoods_from(file, core::read_json(file));
  });
  return likelihoods;
}

Scores score(const std::filesystem::path& folder, const std::string& stage) {
  const auto manifest = runtime::require_manifest(folder, stage, "tune");
  const auto lines = [&](const char* file) {
    return text::read_lines(runtime::require_file(folder, manifest, file, "tune"), text::no_limits);
  };
  const auto hypotheses = lines("hyp.txt");
  const auto references = lines("ref.txt");
  if (hypotheses.size() != references.size()) {
    throw core::InputError(folder, "hyp.txt and ref.txt have different numbers of lines");
  }
  const auto bleu = metrics::corpus_bleu(hypotheses, references);
  return {bleu.score, metrics::corpus_chrf(hypotheses, references), bleu.brevity_penalty};
}

/// What a candidate with neighbours mixes by.
void apply_to(retrieval::MixingOptions& mixing, const TunedCandidate& candidate) {
  mixing.temperature = candidate.setting->temperature;
  mixing.lambda = candidate.setting->lambda;
  if (candidate.policy) candidate.policy->apply_to(mixing);
  if (candidate.gate) {
    mixing.gate = candidate.gate->file;
    mixing.skip = candidate.gate->skip;
  }
}

/// Translates one of the texts with a candidate. Collective; every rank gets the scores.
Scores translate(runtime::StageContext& context, const Options& options,
                 const TunedCandidate& candidate, Texts text, Resident& resident) {
  const auto& setting = candidate.setting;
  const Options tried = setting ? with_breadth(options, setting->search_width) : options;
  auto decoding = tried.tune.decoding;
  decoding.name = candidate.name(options.tune.breadth_name());
  decoding.knn = setting.has_value();
  if (setting) {
    decoding.search.k = setting->k;
    apply_to(decoding.interpolation, candidate);
  }
  if (text == Texts::general) {
    decoding.name += "-general";
    decoding.source = options.tune.general.source;
    decoding.reference = options.tune.general.reference;
  }
  const auto folder = folder_of(context, options.tune);
  decode_one(context, tried, decoding, folder, "tune", resident);
  context.log.set_stage("tune");
  Scores scores;
  core::Json record;
  comm::agree(context.comm, [&] {
    scores = score(folder / decoding.name, "tune-" + decoding.name);
    record = runtime::stage_record(context.run_dir, "tune-" + decoding.name);
  });
  scores.tokens_per_second = runtime::recorded_rate(record);
  if (record.contains("details")) {
    const auto& details = record.at("details");
    const double queries = details.at("queries");
    scores.skipped = queries > 0 ? 1 - details.at("searched").get<double>() / queries : 0;
  }
  return scores;
}

void write_results(runtime::StageContext& context, const std::filesystem::path& folder,
                   const TuneResult& result) {
  const auto json = tune_json(result);
  runtime::write_results(context.run_dir, folder, "tune", core::Json::object(),
                         {{"tune.json", json.dump(1) + "\n"},
                          {"tune.csv", tune_csv(result)},
                          {"tune.svg", heat_map(result.likelihoods)},
                          {"tuned.yaml", tuned_yaml(result)}});
  context.log.event("tuned", json.at("chosen"));
  const double base = result.candidates.front().decisive(result.by);
  const double best = winner(result).decisive(result.by);
  if (best <= base) {
    context.log.warn(fmt::format("the model alone is as good as any setting: {} {:.2f} and {:.2f}",
                                 score_name(result), base, best));
  }
  obs::print(fmt::format("\n{}\nsettings to include in a config: {}\n", tune_table(result),
                         obs::printable((folder / "tuned.yaml").string())));
}

}  // namespace

void tune(runtime::StageContext& context, const Options& configured) {
  context.log.set_stage("tune");
  comm::agree(context.comm, [&] { check_options(configured.tune); });
  Options options = configured;
  options.tune.decoding.interpolation = {.threshold = configured.tune.decoding.interpolation.threshold};
  Resident resident;
  TuneResult result{.likelihoods = likelihoods_of(context, for_pass(options), resident),
                    .by = options.tune.by};
  const auto& breadth_name = result.likelihoods.breadth_name;
  const auto score_general = [&](TunedCandidate& candidate) {
    if (options.tune.general.source.empty()) return;
    candidate.general = translate(context, options, candidate, Texts::general, resident);
  };
  const auto try_next = [&](TunedCandidate candidate, Texts texts) {
    candidate.scores = translate(context, options, candidate, Texts::own, resident);
    if (texts == Texts::own_and_general) score_general(candidate);
    result.candidates.push_back(std::move(candidate));
    if (result.candidates.size() == 1) return;
    const auto& best = winner(result);
    context.log.info(fmt::format(
        "{}: {} {:.2f}; best so far {}, {:.2f} (base {:.2f})",
        result.candidates.back().name(breadth_name), score_name(result),
        result.candidates.back().decisive(result.by), best.name(breadth_name),
        best.decisive(result.by), result.candidates.front().decisive(result.by)));
  };
  try_next({}, Texts::own);
  for (const auto& setting : result.likelihoods.best(options.tune.candidates)) {
    try_next({.setting = setting}, Texts::own);
  }
  // The best setting for the text that the datastore is for. Policies start from it, and are
  // compared with it on general text too.
  const auto of_best = &winner(result) - result.candidates.data();
  score_general(result.candidates.front());
  score_general(result.candidates[of_best]);
  const TunedSetting fixed = *result.candidates[of_best].setting;
  if (options.tune.policies != std::vector{retrieval::PolicyKind::fixed}) {
    Options of_policies = with_breadth(options, fixed.search_width);
    of_policies.tune.decoding.search.k = fixed.k;
    const auto& temperatures = result.likelihoods.temperature;
    of_policies.tune.temperature = {temperatures.begin(), temperatures.end()};
    result.policies = tune_policies(context, of_policies, fixed,
                                    folder_of(context, options.tune) / policies_folder, resident);
    for (const auto& policy : result.policies->policies) {
      if (policy.policy == retrieval::PolicyKind::fixed) continue;
      try_next({.setting = fixed, .policy = policy}, Texts::own_and_general);
    }
  }
  const TunedCandidate chosen = winner(result);
  for (const auto search_width : options.tune.breadths()) {
    if (search_width == chosen.setting->search_width) continue;
    TunedCandidate candidate{.setting = chosen.setting, .policy = chosen.policy};
    for (const auto& setting : result.likelihoods.settings) {
      const bool alike = setting.k == chosen.setting->k &&
                         setting.temperature == chosen.setting->temperature &&
                         setting.lambda == chosen.setting->lambda;
      if (alike && setting.search_width == search_width) candidate.setting = setting;
    }
    candidate.other_width = true;
    try_next(std::move(candidate), Texts::own_and_general);
  }
  if (!options.tune.skip.empty()) {
    const TunedCandidate best = narrowest(result);
    Options of_gate = with_breadth(options, best.setting->search_width);
    of_gate.tune.decoding.search.k = best.setting->k;
    auto mixing = options.tune.decoding.interpolation;
    apply_to(mixing, best);
    const auto gate = tune_gate(context, of_gate, mixing,
                                folder_of(context, options.tune) / gate_folder, resident);
    for (const auto& [share, skip] : gate.settings) {
      TunedCandidate candidate{.setting = best.setting, .policy = best.policy};
      candidate.gate = {gate.file, share, skip};
      try_next(std::move(candidate), Texts::own_and_general);
    }
  }
  comm::on_root(context.comm, [&] {
    write_results(context, folder_of(context, options.tune), result);
  });
}

}  // namespace knnseq::stages
