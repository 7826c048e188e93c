#include "stages/import/import_keys.hpp"

#include <algorithm>
#include <array>
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

/// The shard that is being filled, in units as add will read them: store::unit_entries is a
/// multiple of a batch.
struct OpenShard {
  core::Range entries;                             ///< of the store
  std::vector<std::int64_t> sampled_before = {0};  ///< [units + 1] rows of the training sample

  std::int64_t units() const { return core::ceil_div(entries.size(), store::unit_entries); }
  core::Range entries_of(std::int64_t unit) const {
    const auto first = entries.begin + unit * store::unit_entries;
    return {first, std::min(first + store::unit_entries, entries.end)};
  }
};

struct ImportedUnit {
  std::int64_t number = 0;
  at::Tensor keys;  ///< [entries, width], and of those of the training sample
  at::Tensor sample_keys;
  std::vector<std::uint32_t> values;
  std::vector<std::int64_t> sample_entries;
};

/// Reads units on any thread. One is read while another is written, and each goes where the one
/// before that has been: fresh memory costs as much as copying into it.
class UnitReader {
 public:
  UnitReader(const ForeignStore& store, const SampleRule& rule) : store_(store), rule_(rule) {}

  ImportedUnit read(const OpenShard& shard, std::int64_t number) {
    const auto entries = shard.entries_of(number);
    at::Tensor& memory = memory_[turn_++ % 2];
    if (!memory.defined()) {
      memory = at::empty({store::unit_entries, store_.width()}, scalar_type_of(store_.key_type()));
    }
    ImportedUnit unit;
    unit.number = number;
    unit.keys = memory.narrow(0, 0, entries.size());
    store_.read_keys(entries,
                     {static_cast<std::byte*>(unit.keys.mutable_data_ptr()), unit.keys.nbytes()});
    unit.values = store_.read_values(entries);
    const auto sampled = rule_.rows_of(describe_entries(entries, entries.begin));
    if (!sampled.empty())
      unit.sample_keys = unit.keys.index_select(0, at::tensor(sampled, at::kLong));
    for (const auto row : sampled) unit.sample_entries.push_back(entries.begin + row);
    return unit;
  }

 private:
  const ForeignStore& store_;
  const SampleRule& rule_;
  std::array<at::Tensor, 2> memory_;
  std::size_t turn_ = 0;
};

void write_unit(const ImportedUnit& unit, const OpenShard& shard, store::ShardFile& file) {
  const auto entries = shard.entries_of(unit.number);
  const auto first = entries.begin - shard.entries.begin;
  const auto write = [&]<class T>(const char* name, std::int64_t row,
                                  const std::vector<T>& values) {
    file.write(name, row, std::span<const T>(values));
  };
  file.write("keys", first, bytes_of(unit.keys));
  write("values", first, unit.values);
  const auto numbers = count_up(entries);
  for (const char* name : {"sentence_numbers", "entry_starts", "line_numbers"}) {
    write(name, first, numbers);
  }
  const bool last = entries.end == shard.entries.end;
  write("sentence_starts", first, count_up({first, first + entries.size() + (last ? 1 : 0)}));
  if (unit.sample_entries.empty()) return;
  const auto sampled = shard.sampled_before[unit.number];
  file.write("sample_keys", sampled, bytes_of(unit.sample_keys));
  write("sample_entries", sampled, unit.sample_entries);
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
  UnitReader reader(store, rule);
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t number) {
    shard = {entries_of_shard(made.entries, number, made.shards)};
    runtime::ShardPlan plan;
    for (std::int64_t unit = 0; unit < shard.units(); ++unit) {
      const auto entries = shard.entries_of(unit);
      plan.unit_items.push_back(entries.size());
      const auto sampled = rule.rows_of(describe_entries(entries, entries.begin));
      shard.sampled_before.push_back(shard.sampled_before.back() + std::ssize(sampled));
    }
    const auto entries = shard.entries.size();
    plan.datasets = datastore_datasets(stored, {entries, entries, shard.sampled_before.back()});
    plan.label = store::make_label(
        "datastore", {{"key", describe_keys(stored.type, stored.width)}, {"imported", from}});
    return plan;
  };
  work.compute = [&](std::int64_t number, const runtime::Abandoned&) {
    const auto unit = std::make_shared<ImportedUnit>(reader.read(shard, number));
    return runtime::ComputedUnit{
        {}, [&shard, unit](store::ShardFile& file) { write_unit(*unit, shard, file); }};
  };
  work.finish = [&](std::int64_t) {
    const auto entries = shard.entries.size();
    return core::Json{{"entries", entries}, {"sentences", entries}};
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
