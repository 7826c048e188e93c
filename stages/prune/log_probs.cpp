#include "stages/prune/log_probs.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "gpu/torch_device.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/key_inputs.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/shards/batch_encoder.hpp"
#include "stages/shared/shards/compute_thread.hpp"
#include "store/corpus_shard.hpp"

namespace knnseq::stages {

namespace {

runtime::StageOutcome force_corpus(runtime::StageContext& context, const Options& options,
                                   const CorpusPaths& paths, const CorpusManifest& made) {
  context.log.info(fmt::format(
      "datastore.prune.probability needs what the model gives each token, which this datastore was "
      "made without (datastore.log_probs): {} entries are encoded once more",
      obs::with_commas(made.entries)));
  const at::Device device = gpu::torch_device(context.placement.device);
  std::unique_ptr<model::TranslationModel> model;
  comm::agree(context.comm,
              [&] { model = open_key_model(context, options, *open_tokenizer(options)); });
  runtime::require_unchanged_inputs(context);
  DatastoreOptions only_log_probs = options.datastore;
  only_log_probs.sentence_keys = false;
  only_log_probs.log_probs = true;
  const BatchEncoder encoder(*model, only_log_probs);
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  runtime::ShardJobs jobs(context, team, paths.step("prune-log-probs").folder,
                          {"entries", made.entries});
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t shard) {
    corpus = store::CorpusShard::read(paths.text, runtime::shard_name(shard), made.of_shard(shard));
    encoder.require_corpus(corpus);
    units = store::cut_units(corpus);
    runtime::ShardPlan plan{{log_probs_dataset(corpus.entries())}, {}};
    for (const auto& batches : units) plan.unit_items.push_back(corpus.entries_of(batches).size());
    return plan;
  };
  work.compute = [&](std::int64_t unit, const runtime::Abandoned& abandoned) {
    const ComputeThread thread(device);
    std::vector<at::Tensor> parts;
    for (auto batch = units[unit].begin; batch < units[unit].end; ++batch) {
      runtime::give_up_if(abandoned);
      parts.push_back(encoder.encode_batch(corpus, batch).log_probs.cpu());
    }
    return runtime::ComputedUnit{
        {},
        [all = at::cat(parts), row = corpus.entries_of(units[unit]).begin](store::ShardFile& file) {
          file.write(log_probs_name, row, bytes_of(all));
        }};
  };
  work.finish = [&](std::int64_t) { return core::Json{{"entries", corpus.entries()}}; };
  runtime::StageOutcome outcome = jobs.run(work);
  outcome.content["entries"] = made.entries;
  return outcome;
}

}  // namespace

void make_log_probs(runtime::StageContext& context, const Options& options,
                    const CorpusPaths& paths, const CorpusManifest& corpus) {
  const auto inputs = key_inputs(context, options, paths, corpus).to_json();
  const StageRef step = paths.step("prune-log-probs");
  runtime::run_stage(context, {step.stage, step.folder, inputs,
                               [&] { return force_corpus(context, options, paths, corpus); }});
}

}  // namespace knnseq::stages
