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

/// The shard that is being filled, in units as add will read them.
struct OpenShard {
  core::Range batches;                             ///< of the store
  SentencePlace first;                             ///< where it begins there
  std::vector<core::Range> units;                  ///< batches
  std::vector<std::int64_t> sampled_before = {0};  ///< [units + 1] rows of the training sample
};

struct ImportedUnit {
  std::int64_t number = 0;
  store::CorpusShard text;  ///< with the tokens of the targets alone; starts count in the unit
  at::Tensor keys;          ///< [entries, width], and of those of the training sample
  at::Tensor sample_keys;
  at::Tensor sentence_keys;  ///< [sentences, width]; undefined without features
  std::vector<std::int64_t> sample_entries;
};

/// Reads units on any thread. One is read while another is written, and each goes where the one
/// before that has been: fresh memory costs as much as copying into it.
class UnitReader {
 public:
  UnitReader(const Origin& origin, const SampleRule& rule) : origin_(origin), rule_(rule) {}

  ImportedUnit read(const OpenShard& shard, std::int64_t number) {
    const ForeignStore& store = *origin_.store;
    const auto batches = shard.units[number];
    const auto entries = origin_.sentences->entries_of(batches);
    at::Tensor& memory = memory_[turn_++ % 2];
    if (!memory.defined() || memory.size(0) < entries.size()) {
      memory = at::empty({std::max(store::unit_entries, entries.size()), store.width()},
                         scalar_type_of(store.key_type()));
    }
    ImportedUnit unit;
    unit.number = number;
    unit.keys = memory.narrow(0, 0, entries.size());
    store.read_keys(entries,
                    {static_cast<std::byte*>(unit.keys.mutable_data_ptr()), unit.keys.nbytes()});
    if (origin_.features) {
      unit.sentence_keys = origin_.features->read(origin_.sentences->sentences_of(batches));
    }
    unit.text = origin_.sentences->describe(batches, origin_.sentences->start_of(batches.begin));
    unit.text.target_tokens = store.read_values(entries);
    const auto sampled = rule_.rows_of(unit.text);
    if (!sampled.empty())
      unit.sample_keys = unit.keys.index_select(0, at::tensor(sampled, at::kLong));
    for (const auto row : sampled) unit.sample_entries.push_back(entries.begin + row);
    return unit;
  }

 private:
  const Origin& origin_;
  const SampleRule& rule_;
  std::array<at::Tensor, 2> memory_;
  std::size_t turn_ = 0;
};

/// start: of the unit, in the store.
void write_unit(const ImportedUnit& unit, const SentencePlace& start, const OpenShard& shard,
                store::ShardFile& file) {
  const auto row = start.entry - shard.first.entry;
  const auto sentence = start.sentence - shard.first.sentence;
  const auto write = [&]<class T>(const char* name, std::int64_t at, const std::vector<T>& values) {
    file.write(name, at, std::span<const T>(values));
  };
  file.write("keys", row, bytes_of(unit.keys));
  write("values", row, unit.text.target_tokens);
  write("sentence_numbers", sentence, unit.text.sentence_numbers);
  write("entry_starts", sentence, unit.text.entry_starts);
  write("line_numbers", sentence, unit.text.line_numbers);
  auto starts = unit.text.sentence_starts;
  for (auto& of_sentence : starts) of_sentence += row;
  if (unit.number + 1 < std::ssize(shard.units)) starts.pop_back();
  write("sentence_starts", sentence, starts);
  if (unit.sentence_keys.defined()) {
    file.write("sentence_keys", sentence, bytes_of(unit.sentence_keys));
  }
  if (unit.sample_entries.empty()) return;
  const auto sampled = shard.sampled_before[unit.number];
  file.write("sample_keys", sampled, bytes_of(unit.sample_keys));
  write("sample_entries", sampled, unit.sample_entries);
}

runtime::StageOutcome store_keys(runtime::StageContext& context, const Options& options,
                                 const CorpusPaths& paths, const Origin& origin,
                                 const CorpusManifest& made) {
  const ForeignStore& store = *origin.store;
  const ForeignSentences& sentences = *origin.sentences;
  const SampleSpec sample = begun_sample(context, options, paths);
  const auto rule =
      make_corpus_sample_rule(context.comm, {paths.text, made.of_shards, made.entries}, sample);
  const auto team = runtime::make_shard_team(context.comm, made.shards);
  runtime::ShardJobs jobs(context, team, paths.datastore, {"entries", made.entries});
  const auto from = origin.facts.at("from").get<std::string>();
  const StoredVectors stored{.width = store.width(),
                             .type = store.key_type(),
                             .description = "imported from " + from,
                             .sentence_keys = origin.features.has_value(),
                             .sentence_width = origin.features ? origin.features->width() : 0,
                             .sentence_description = "features of the source, from " + from};
  OpenShard shard;
  UnitReader reader(origin, rule);
  runtime::ShardWork work;
  work.prepare = [&](std::int64_t number) {
    const auto batches = sentences.batches_of_shard(number, made.shards);
    shard = {batches, sentences.start_of(batches.begin), sentences.units_of(batches)};
    runtime::ShardPlan plan;
    for (const auto& unit : shard.units) {
      plan.unit_items.push_back(sentences.entries_of(unit).size());
      const auto sampled = rule.rows_of(sentences.describe(unit, sentences.start_of(unit.begin)));
      shard.sampled_before.push_back(shard.sampled_before.back() + std::ssize(sampled));
    }
    plan.datasets = datastore_datasets(
        stored, {sentences.entries_of(batches).size(), sentences.sentences_of(batches).size(),
                 shard.sampled_before.back()});
    plan.label = store::make_label(
        "datastore", {{"key", describe_keys(stored.type, stored.width)}, {"imported", from}});
    return plan;
  };
  work.compute = [&](std::int64_t number, const runtime::Abandoned&) {
    const auto unit = std::make_shared<ImportedUnit>(reader.read(shard, number));
    return runtime::ComputedUnit{{}, [&, unit](store::ShardFile& file) {
                                   const auto start =
                                       sentences.start_of(shard.units[unit->number].begin);
                                   write_unit(*unit, start, shard, file);
                                 }};
  };
  work.finish = [&](std::int64_t) {
    return core::Json{{"entries", sentences.entries_of(shard.batches).size()},
                      {"sentences", sentences.sentences_of(shard.batches).size()}};
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
                            .keys = origin.store->key_type(),
                            .sentence_keys = origin.features.has_value()};
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
