#include "stages/tune/tune.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "metrics/bleu_tokenizer.hpp"
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

/// Where the model alone is: in one place for both, so that it translates once.
std::filesystem::path folder_of_base(const runtime::StageContext& context) {
  return Folders(context.run_dir).tune;
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
  const auto validation = read_validation(context, options, MeasuredTexts::own, folder, resident);
  const auto forced =
      force_tokens(context, options, validation.text, {*validation.model, *validation.tokenizer});
  std::vector<index::TopK> neighbours;
  retrieval::EntryWeights weights;
  for (const auto search_width : options.tune.breadths()) {
    const Options one = with_breadth(options, search_width);
    const auto data = check_data(context, one, one.tune.decoding);
    auto mixer = open_mixer(context, one, one.tune.decoding, data, resident);
    weights = mixer.weights().empty() ? retrieval::EntryWeights() : mixer.weights().front();
    neighbours.push_back(find_neighbours(context, forced, mixer, one.tune.decoding.search.k));
  }
  const auto likelihoods = measure_likelihoods(comm, options.tune, forced, neighbours, weights);
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
  core::Json inputs = validation_inputs(context, options, MeasuredTexts::own);
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
                 const TunedCandidate& candidate, MeasuredTexts text, Resident& resident) {
  const auto& setting = candidate.setting;
  const Options tried = setting ? with_breadth(options, setting->search_width) : options;
  auto decoding = tried.tune.decoding;
  decoding.name = candidate.name(options.tune.breadth_name());
  decoding.knn = setting.has_value();
  if (setting) {
    decoding.search.k = setting->k;
    apply_to(decoding.interpolation, candidate);
  }
  if (candidate.length_penalty) decoding.beam.length_penalty = *candidate.length_penalty;
  if (text == MeasuredTexts::general) {
    decoding.name += "-general";
    decoding.source = options.tune.general.source;
    decoding.reference = options.tune.general.reference;
  }
  const auto folder = setting ? folder_of(context, options.tune) : folder_of_base(context);
  decode_one(context, tried, decoding, folder, "tune", resident);
  context.log.set_stage("tune");
  Scores scores;
  core::Json record;
  comm::agree(context.comm, [&] {
    scores = score_decoding(options, folder / decoding.name, "tune-" + decoding.name, "tune");
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
                          {"tune.svg", heat_map(result)},
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

/// The candidates, one kind after the other; each kind starts from the best of those before.
class Tuning {
 public:
  Tuning(runtime::StageContext& context, const Options& options)
      : context_(context),
        options_(options),
        result_{.likelihoods = likelihoods_of(context, for_pass(options), resident_),
                .by = options.tune.by} {}

  /// The model alone, and the likeliest settings.
  void try_settings() {
    try_next({}, MeasuredTexts::own);
    for (const auto& setting : result_.likelihoods.best(options_.tune.candidates)) {
      try_next({.setting = setting}, MeasuredTexts::own);
    }
    // Policies start from the best one, and are compared with it on general text too.
    const auto best = &winner(result_) - result_.candidates.data();
    score_general(result_.candidates.front());
    score_general(result_.candidates[best]);
  }

  void try_policies() {
    if (options_.tune.policies == std::vector{retrieval::PolicyKind::fixed}) return;
    const TunedSetting fixed = *winner(result_).setting;
    Options options = searching_as(fixed);
    const auto& temperatures = result_.likelihoods.temperature;
    options.tune.temperature = {temperatures.begin(), temperatures.end()};
    result_.policies =
        tune_policies(context_, options, fixed, folder_ / policies_folder, resident_);
    for (const auto& policy : result_.policies->policies) {
      if (policy.policy == retrieval::PolicyKind::fixed) continue;
      try_next({.setting = fixed, .policy = policy}, MeasuredTexts::own_and_general);
    }
  }

  /// The winner with other length penalties: neighbours change how long translations get.
  void try_length_penalties() {
    const TunedCandidate chosen = winner(result_);
    for (const double length_penalty : options_.tune.length_penalty) {
      if (length_penalty == options_.tune.decoding.beam.length_penalty) continue;
      TunedCandidate candidate{.setting = chosen.setting, .policy = chosen.policy};
      candidate.length_penalty = length_penalty;
      try_next(std::move(candidate), MeasuredTexts::own_and_general);
    }
  }

  /// The winner with the grid's other search widths.
  void try_widths() {
    const TunedCandidate chosen = winner(result_);
    for (const auto search_width : options_.tune.breadths()) {
      if (search_width == chosen.setting->search_width) continue;
      TunedCandidate candidate{.setting = chosen.setting,
                               .policy = chosen.policy,
                               .length_penalty = chosen.length_penalty};
      for (const auto& setting : result_.likelihoods.settings) {
        const bool alike = setting.k == chosen.setting->k &&
                           setting.temperature == chosen.setting->temperature &&
                           setting.lambda == chosen.setting->lambda;
        if (alike && setting.search_width == search_width) candidate.setting = setting;
      }
      candidate.other_width = true;
      try_next(std::move(candidate), MeasuredTexts::own_and_general);
    }
  }

  void try_gates() {
    if (options_.tune.skip.empty()) return;
    const TunedCandidate best = narrowest(result_);
    auto mixing = options_.tune.decoding.interpolation;
    apply_to(mixing, best);
    const auto gate =
        tune_gate(context_, searching_as(*best.setting), mixing, folder_ / gate_folder, resident_);
    for (const auto& [share, skip] : gate.settings) {
      TunedCandidate candidate{
          .setting = best.setting, .policy = best.policy, .length_penalty = best.length_penalty};
      candidate.gate = {gate.file, share, skip};
      try_next(std::move(candidate), MeasuredTexts::own_and_general);
    }
  }

  void write() {
    comm::on_root(context_.comm, [&] { write_results(context_, folder_, result_); });
  }

 private:
  Options searching_as(const TunedSetting& setting) const {
    Options options = with_breadth(options_, setting.search_width);
    options.tune.decoding.search.k = setting.k;
    return options;
  }

  void score_general(TunedCandidate& candidate) {
    if (options_.tune.general.source.empty()) return;
    candidate.general = translate(context_, options_, candidate, MeasuredTexts::general, resident_);
  }

  void try_next(TunedCandidate candidate, MeasuredTexts texts) {
    candidate.scores = translate(context_, options_, candidate, MeasuredTexts::own, resident_);
    if (texts == MeasuredTexts::own_and_general) score_general(candidate);
    result_.candidates.push_back(std::move(candidate));
    if (result_.candidates.size() == 1) return;
    const auto& breadth_name = result_.likelihoods.breadth_name;
    const auto& tried = result_.candidates.back();
    const auto& best = winner(result_);
    context_.log.info(
        fmt::format("{}: {} {:.2f}; best so far {}, {:.2f} (base {:.2f})", tried.name(breadth_name),
                    score_name(result_), tried.decisive(result_.by), best.name(breadth_name),
                    best.decisive(result_.by), result_.candidates.front().decisive(result_.by)));
  }

  runtime::StageContext& context_;
  const Options& options_;
  std::filesystem::path folder_ = folder_of(context_, options_.tune);
  Resident resident_;
  TuneResult result_;
};

}  // namespace

void tune(runtime::StageContext& context, const Options& configured) {
  context.log.set_stage("tune");
  comm::agree(context.comm, [&] {
    check_options(configured.tune);
    metrics::make_bleu_tokenizer(configured.evaluate.tokenization());
  });
  Options options = configured;
  options.tune.decoding.interpolation = {.threshold =
                                             configured.tune.decoding.interpolation.threshold};
  Tuning tuning(context, options);
  tuning.try_settings();
  tuning.try_policies();
  tuning.try_length_penalties();
  tuning.try_widths();
  tuning.try_gates();
  tuning.write();
}

}  // namespace knnseq::stages
