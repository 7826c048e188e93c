#include "stages/encode/encode.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/hash.hpp"
#include "gpu/torch_device.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/encode/shard_encoder.hpp"
#include "stages/shared/inputs/key_inputs.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/sample/begun_sample.hpp"
#include "stages/shared/sample/sample_rule.hpp"
#include "stages/shared/shards/unit_report.hpp"

namespace knnseq::stages {

namespace {

/// Logs report_units() and, on GPUs, how much of the attention was padding. Returns the same for
/// the stage's record. Collective.
core::Json report_encoding(runtime::StageContext& context, const runtime::UnitSeconds& units,
                           const EncodingCost& cost) {
  UnitReport report = report_units(context, units, {cost.seconds, 0});
  if (context.placement.device.cuda) {
    auto& comm = context.comm;
    const auto tokens = static_cast<double>(comm.all_reduce(cost.tokens, comm::Reduction::sum));
    const auto padded_tokens =
        static_cast<double>(comm.all_reduce(cost.padded_tokens, comm::Reduction::sum));
    const double padding = 1.0 - tokens / std::max(padded_tokens, 1.0);
    report.record["padding_share"] = padding;
    report.text += fmt::format(", padding {:.1f} %", 100 * padding);
  }
  context.log.info(report.text);
  return report.record;
}

store::FileLabel make_datastore_label(const model::ModelInfo& model, const KeyInputs& made_from) {
  return store::make_label(
      "datastore",
      {{"model", fmt::format("{} {}", model.family, core::fingerprint(made_from.model.dump()))},
       {"key", fmt::format("{} of decoder layer {} (from 0), {}", core::name_of(made_from.key),
                           made_from.layer, describe_keys(made_from.keys, model.width))},
       {"dtype",
        fmt::format("{}, in which the model ran on {}", made_from.dtype, made_from.device)}});
}

runtime::StageOutcome make_datastore(runtime::StageContext& context, const Options& options,
                                     const CorpusPaths& paths, const CorpusManifest& made,
                                     const KeyInputs& made_from) {
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  std::unique_ptr<model::TranslationModel> model;
  comm::agree(context.comm,
              [&] { model = open_key_model(context, options, *open_tokenizer(options)); });
  runtime::require_unchanged_inputs(context);
  const SampleSpec sample = begun_sample(context, options, paths);
  ShardEncoder encoder(
      *model, options.datastore,
      make_corpus_sample_rule(context.comm, {paths.text, made.of_shards, made.entries}, sample),
      gpu::torch_device(context.placement.device));
  runtime::ShardJobs jobs(context, team, paths.datastore, {"entries", made.entries});
  const auto label = make_datastore_label(model->info(), made_from);
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  const auto prepare = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    corpus = store::CorpusShard::read(paths.text, name, made.of_shard(shard));
    units = store::cut_units(corpus);
    encoder.open_shard(corpus);
    runtime::ShardPlan plan{encoder.layout(), {}, label};
    for (const auto& batches : units) plan.unit_items.push_back(corpus.entries_of(batches).size());
    return plan;
  };
  const auto compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    return encoder.compute_unit(units[unit], abandoned);
  };
  const auto finish = [&](std::int64_t) {
    return core::Json{{"entries", corpus.entries()}, {"sentences", corpus.sentences()}};
  };
  runtime::ShardWork work;
  work.prepare = prepare;
  work.compute = compute;
  work.finish = finish;
  runtime::StageOutcome outcome = jobs.run(work);
  outcome.work.details = report_encoding(context, jobs.seconds(), encoder.cost());
  const auto& info = model->info();
  const KeyFacts facts{info.width, info.decoder_layers, info.vocab_size, made.entries, sample};
  outcome.content.update(facts.to_json());
  outcome.content["sentences"] = made.sentences;
  return outcome;
}

}  // namespace

void encode(runtime::StageContext& context, const Options& options, const CorpusPaths& paths) {
  const std::string name = paths.stage_name("encode");
  context.log.set_stage(name);
  const auto corpus = corpus_manifest(context, options, paths);
  const KeyInputs made_from = key_inputs(context, options, paths, corpus);
  runtime::run_stage(context,
                     {name,
                      paths.datastore,
                      made_from.to_json(),
                      [&] { return make_datastore(context, options, paths, corpus, made_from); },
                      {sample_name}});
  remove_begun_sample(context, paths);
}

}  // namespace knnseq::stages
