#include "stages/add/add.hpp"

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/files.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/add/shard_coder.hpp"
#include "stages/stage.hpp"
#include "stages/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

runtime::StageOutcome make_index(runtime::StageContext& context, const Options& options,
                                 const CorpusPlace& place, const core::Json& corpus_manifest,
                                 const core::Json& datastore_manifest) {
  const auto& shards = corpus_manifest.at("content").at("shards");
  const std::int64_t vocab_size = datastore_manifest.at("content").at("vocab_size");
  index::Codebook codebook;
  comm::agree(context.comm, [&] { codebook = read_trained_codebook(place); });
  const index::Coder coder(codebook);
  ShardCoder shard_coder(coder, place.datastore, place.first_entry);

  const auto team = runtime::make_shard_team(context.comm, options.shards);
  runtime::ShardJobs jobs(context, team, place.index,
                          {"entries", corpus_manifest.at("content").at("entries")});
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  runtime::ShardWork work;
  work.result = ".faiss";
  work.prepare = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    corpus = store::CorpusShard::read(place.text, name, shards.at(name));
    units = store::cut_units(corpus);
    shard_coder.open_shard(corpus, shard);
    runtime::ShardPlan plan{shard_coder.layout(), {}};
    for (const auto& batches : units) plan.unit_items.push_back(corpus.entries_of(batches).size());
    return plan;
  };
  work.work = [&](std::int64_t unit, store::ShardFile& file) {
    shard_coder.code_unit(unit, units[static_cast<std::size_t>(unit)], file);
  };
  work.finish = [&](std::int64_t shard) {
    const auto path = place.index / runtime::shard_name(shard);
    shard_coder.write_index(path.string() + ".h5", path.string() + ".faiss", vocab_size);
    return core::Json{{"entries", corpus.entries()},
                      {"fingerprint", core::fingerprint_file(path.string() + ".faiss")}};
  };
  runtime::StageOutcome outcome = jobs.run(work);
  outcome.content["entries"] = corpus_manifest.at("content").at("entries");
  return outcome;
}

}  // namespace

void add(runtime::StageContext& context, const Options& options, const CorpusPlace& place) {
  const std::string name = place.stage_name("add");
  context.log.set_stage(name);
  const auto corpus = corpus_manifest(context, options, place);
  const auto datastore = manifest_of(context, place, "encode");
  const auto codebook = manifest_of(context, place, "train");
  comm::agree(context.comm, [&] {
    require_made_from(datastore, "corpus", corpus, place.command("encode"));
    if (!place.appended()) require_made_from(codebook, "datastore", datastore, "train");
    const std::int64_t entries = corpus.at("content").at("entries");
    if (place.first_entry + entries > core::max_entry_number) {
      throw core::InputError("all corpora together have more than 2^40 entries");
    }
  });
  const core::Json inputs = {
      {"corpus", corpus.at("identity")},     {"datastore", datastore.at("identity")},
      {"codebook", codebook.at("identity")}, {"first_entry", place.first_entry},
      {"threads", options.threads},          {"unit_entries", store::unit_entries}};
  runtime::run_stage(context, {name, place.index, inputs, [&] {
                                 return make_index(context, options, place, corpus, datastore);
                               }});
}

}  // namespace knnseq::stages
