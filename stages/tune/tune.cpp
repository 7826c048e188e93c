#include "stages/tune/tune.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "metrics/bleu.hpp"
#include "metrics/chrf.hpp"
#include "obs/terminal.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/decode/decode.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/open_mixer.hpp"
#include "stages/shared/text/held_out_text.hpp"
#include "stages/tune/forced_tokens.hpp"
#include "stages/tune/heat_map.hpp"
#include "stages/tune/likelihoods.hpp"
#include "stages/tune/report.hpp"
#include "text/files/read_lines.hpp"

namespace knnseq::stages {

namespace {

/// The folder below tune/ that the teacher-forced pass owns.
constexpr const char* pass_folder = "likelihoods";
constexpr const char* pass_result = "likelihoods.json";
constexpr const char* unpacked_text = "scratch";  ///< a folder, while text is read

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

/// The config with a value of the grid's nprobe or sentences.
Options with_breadth(Options options, std::int64_t search_width) {
  (options.tune.subsets() ? options.subset.sentences : options.tune.decoding.search.nprobe) =
      search_width;
  return options;
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
  const auto& decoding = options.tune.decoding;
  std::unique_ptr<text::Tokenizer> tokenizer;
  model::TranslationModel* model = nullptr;
  comm::agree(comm, [&] {
    tokenizer = open_tokenizer(options);
    model = &resident.model(context, options, decoding, *tokenizer);
  });
  const auto text =
      read_held_out_text(context, options,
                         {decoding.source, *decoding.reference, folder / unpacked_text,
                          model->info().source_positions, model->info().target_tokens()},
                         *tokenizer);
  const auto forced = force_tokens(context, options, text, {*model, *tokenizer});
  std::vector<index::TopK> neighbours;
  for (const auto search_width : options.tune.breadths()) {
    const Options one = with_breadth(options, search_width);
    const auto data = check_data(context, one, one.tune.decoding);
    auto mixer = open_mixer(context, one, one.tune.decoding, data, resident);
    neighbours.push_back(find_neighbours(context, forced, mixer, decoding.search.k));
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
  const auto& decoding = options.tune.decoding;
  const auto data = check_data(context, options, decoding);
  core::Json inputs = {{"text", fingerprint_files(context, {decoding.source, *decoding.reference})},
                       {"models", core::Json::array()},
                       {"tokenizer", tokenizer_fingerprint(context, options)},
                       {"dtype", decoding.dtype},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads},
                       {"search", search_inputs(context, options, decoding, data)},
                       {"k", options.tune.k},
                       {"temperature", options.tune.temperature},
                       {"lambda", options.tune.lambda},
                       {options.tune.breadth_name(), options.tune.breadths()}};
  for (const auto& path : options.models) {
    inputs["models"].push_back(model_fingerprint(context, path));
  }
  if (const auto& threshold = decoding.interpolation.threshold) inputs["threshold"] = *threshold;
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

TunedCandidate score_candidate(const std::filesystem::path& folder, const std::string& stage,
                               std::optional<TunedSetting> setting) {
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
  return {setting, bleu.score, metrics::corpus_chrf(hypotheses, references), bleu.brevity_penalty};
}

/// Translates the validation set with a setting, or with the model alone. Collective; every rank
/// gets the scores.
TunedCandidate try_setting(runtime::StageContext& context, const Options& options,
                           const std::optional<TunedSetting>& setting, Resident& resident) {
  const Options tried = setting ? with_breadth(options, setting->search_width) : options;
  auto decoding = tried.tune.decoding;
  decoding.name = setting ? setting->name(options.tune.breadth_name()) : "base";
  decoding.knn = setting.has_value();
  if (setting) {
    decoding.search.k = setting->k;
    decoding.interpolation.temperature = setting->temperature;
    decoding.interpolation.lambda = setting->lambda;
  }
  const auto folder = folder_of(context, options.tune);
  decode_one(context, tried, decoding, folder, "tune", resident);
  TunedCandidate candidate;
  comm::agree(context.comm, [&] {
    candidate = score_candidate(folder / decoding.name, "tune-" + decoding.name, setting);
  });
  return candidate;
}

void write_results(runtime::StageContext& context, const std::filesystem::path& folder,
                   const Likelihoods& likelihoods, const std::vector<TunedCandidate>& candidates) {
  const auto json = tune_json(likelihoods, candidates);
  runtime::write_results(context.run_dir, folder, "tune", core::Json::object(),
                         {{"tune.json", json.dump(1) + "\n"},
                          {"tune.csv", tune_csv(likelihoods, candidates)},
                          {"tune.svg", heat_map(likelihoods)},
                          {"tuned.yaml", tuned_yaml(likelihoods, candidates)}});
  context.log.event("tuned", json.at("chosen"));
  const auto& best = winner(candidates);
  if (best.bleu <= candidates.front().bleu) {
    context.log.warn(
        fmt::format("the model alone is as good as any setting: BLEU {:.2f} and {:.2f}",
                    candidates.front().bleu, best.bleu));
  }
  obs::print(fmt::format("\n{}\nsettings to include in a config: {}\n",
                         tune_table(likelihoods, candidates),
                         obs::printable((folder / "tuned.yaml").string())));
}

}  // namespace

void tune(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("tune");
  comm::agree(context.comm, [&] { check_options(options.tune); });
  Resident resident;
  const Likelihoods likelihoods = likelihoods_of(context, for_pass(options), resident);
  const auto settings = likelihoods.best(options.tune.candidates);
  std::vector<TunedCandidate> candidates = {try_setting(context, options, {}, resident)};
  for (const auto& setting : settings) {
    candidates.push_back(try_setting(context, options, setting, resident));
    context.log.set_stage("tune");
    const auto& best = winner(candidates);
    context.log.info(fmt::format("{}: BLEU {:.2f}; best so far {}, {:.2f} (base {:.2f})",
                                 setting.name(likelihoods.breadth_name), candidates.back().bleu,
                                 best.setting->name(likelihoods.breadth_name), best.bleu,
                                 candidates.front().bleu));
  }
  comm::on_root(context.comm, [&] {
    write_results(context, folder_of(context, options.tune), likelihoods, candidates);
  });
}

}  // namespace knnseq::stages
