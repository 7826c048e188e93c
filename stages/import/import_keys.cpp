#include "stages/import/import_keys.hpp"

#include <memory>

#include <ATen/ATen.h>

#include "comm/agreement.hpp"
#include "runtime/input_files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/key_type.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/sample/begun_sample.hpp"
#include "stages/shared/sample/sample_rule.hpp"
#include "stages/shared/shards/datastore_unit.hpp"

namespace knnseq::stages {

namespace {

/// The shard that is being filled.
struct OpenShard {
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  std::vector<std::int64_t> sample_rows;
};

/// On any thread: opens files, but does not call HDF5.
DatastoreUnit read_unit(const ForeignStore& store, const OpenShard& shard, core::Range batches) {
  const auto rows = shard.corpus.entries_of(batches);
  DatastoreUnit unit;
  unit.batches = batches;
  unit.keys = at::empty({rows.size(), store.width()}, scalar_type_of(store.key_type()));
  const auto first = shard.corpus.entry_number(rows.begin);
  store.read_keys({first, first + rows.size()},
                  {static_cast<std::byte*>(unit.keys.mutable_data_ptr()), unit.keys.nbytes()});
  std::vector<std::int64_t> picks;
  for (const auto row : rows_between(shard.sample_rows, rows)) picks.push_back(row - rows.begin);
  if (!picks.empty()) unit.sample_keys = unit.keys.index_select(0, at::tensor(picks, at::kLong));
  return unit;
}

runtime::StageOutcome store_keys(runtime::StageContext& context, const Options& options,
                                 const CorpusPaths& paths, const Origin& origin,
                                 const CorpusManifest& made) {
  const ForeignStore& store = *origin.store;
  const SampleSpec sample = begun_sample(context, options, paths);
  const auto rule =
      make_corpus_sample_rule(context.comm, {paths.text, made.of_shards, made.entries}, sample);
  const auto team = runtime::make_shard_team(context.comm, made.shards);
  runtime::ShardJobs jobs(context, team, paths.datastore, {"entries", made.entries});
  const auto from = origin.facts.at("from").get<std::string>();
  const StoredVectors stored{
      .width = store.width(), .type = store.key_type(), .description = "imported from " + from};
  OpenShard shard;
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t number) {
    const auto name = runtime::shard_name(number);
    shard.corpus = store::CorpusShard::read(paths.text, name, made.of_shard(number));
    shard.units = store::cut_units(shard.corpus);
    shard.sample_rows = rule.rows_of(shard.corpus);
    runtime::ShardPlan plan{
        datastore_datasets(stored, shard.corpus, std::ssize(shard.sample_rows)),
        {},
        store::make_label("datastore",
                          {{"key", describe_keys(stored.type, stored.width)}, {"imported", from}})};
    for (const auto& batches : shard.units) {
      plan.unit_items.push_back(shard.corpus.entries_of(batches).size());
    }
    return plan;
  };
  work.compute = [&](std::int64_t number, const runtime::Abandoned&) {
    const auto unit = std::make_shared<DatastoreUnit>(read_unit(store, shard, shard.units[number]));
    return runtime::ComputedUnit{{}, [&shard, unit](store::ShardFile& file) {
                                   write_datastore_unit(*unit, shard.corpus, shard.sample_rows,
                                                        file);
                                 }};
  };
  work.finish = [&](std::int64_t) {
    return core::Json{{"entries", shard.corpus.entries()}, {"sentences", shard.corpus.sentences()}};
  };
  runtime::StageOutcome outcome = jobs.run(work);
  runtime::require_unchanged_inputs(context);
  const KeyFacts facts{store.width(), origin.model.decoder_layers, origin.model.vocab_size,
                       made.entries, sample};
  outcome.content.update(facts.to_json());
  outcome.content["sentences"] = made.sentences;
  return outcome;
}

}  // namespace

void import_keys(runtime::StageContext& context, const Options& options, const Origin& origin) {
  const CorpusPaths paths = first_corpus(options);
  const auto corpus = corpus_manifest(context, options, paths);
  const auto key = options.datastore.key.resolved(origin.model.decoder_layers);
  const KeyInputs made_from{.corpus = corpus.identity,
                            .model = model_fingerprint(context, options.models.front()),
                            .dtype = "imported",
                            .device = "imported",
                            .threads = 1,
                            .unit_entries = store::unit_entries,
                            .key = key.kind,
                            .layer = key.layer,
                            .keys = origin.store->key_type()};
  core::Json inputs = made_from.to_json();
  inputs["imported"] = origin.facts;
  const auto step = paths.step("encode");
  runtime::run_stage(context, {step.stage,
                               step.folder,
                               inputs,
                               [&] { return store_keys(context, options, paths, origin, corpus); },
                               {sample_name}});
  remove_begun_sample(context, paths);
}

}  // namespace knnseq::stages
