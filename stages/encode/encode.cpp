#include "stages/encode/encode.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/shard_jobs.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/encode/shard_encoder.hpp"
#include "stages/open_model.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

namespace {

runtime::StageOutcome make_datastore(runtime::StageContext& context, const Options& options,
                                     const CorpusPlace& place, const core::Json& corpus_manifest) {
  const auto& corpus_content = corpus_manifest.at("content");
  const auto team = runtime::make_shard_team(context.comm, options.shards);
  std::unique_ptr<model::TranslationModel> model;
  SampleRule sample;
  std::vector<core::Range> sentence_entries;  // of this member's share of the team's shards
  comm::agree(context.comm, [&] {
    model = open_key_model(options, *open_tokenizer(options));
    for (const auto shard : team.shards) {
      const auto name = runtime::shard_name(shard);
      const auto corpus =
          store::CorpusShard::read(place.text, name, corpus_content.at("shards").at(name));
      for (auto i = static_cast<std::size_t>(team.member()); i < corpus.entry_starts.size();
           i += static_cast<std::size_t>(team.members())) {
        const auto length = corpus.sentence_starts[i + 1] - corpus.sentence_starts[i];
        sentence_entries.push_back({corpus.entry_starts[i], corpus.entry_starts[i] + length});
      }
    }
  });
  sample = make_sample_rule(context.comm, sentence_entries, options.datastore.sample,
                            options.datastore.seed);

  ShardEncoder encoder(*model, options.datastore, sample);
  runtime::ShardJobs jobs(context, team, place.datastore,
                          {"entries", corpus_content.at("entries")});
  store::CorpusShard corpus;
  std::vector<core::Range> units;
  const auto prepare = [&](std::int64_t shard) {
    const auto name = runtime::shard_name(shard);
    corpus = store::CorpusShard::read(place.text, name, corpus_content.at("shards").at(name));
    units = store::cut_units(corpus);
    encoder.open_shard(corpus);
    runtime::ShardPlan plan{encoder.layout(), {}};
    for (const auto& batches : units) plan.unit_items.push_back(corpus.entries_of(batches).size());
    return plan;
  };
  const auto work = [&](std::int64_t unit, store::ShardFile& file) {
    encoder.encode_unit(units[static_cast<std::size_t>(unit)], file);
  };
  const auto finish = [&](std::int64_t) {
    return core::Json{{"entries", corpus.entries()},
                      {"sentences", corpus.sentences()},
                      {"sample", encoder.sample_size()}};
  };
  runtime::StageOutcome outcome = jobs.run({prepare, work, finish, ".h5"});
  outcome.content["width"] = model->info().width;
  outcome.content["decoder_layers"] = model->info().decoder_layers;
  outcome.content["entries"] = corpus_content.at("entries");
  outcome.content["sentences"] = corpus_content.at("sentences");
  outcome.content["vocab_size"] = model->info().vocab_size;
  return outcome;
}

}  // namespace

void encode(runtime::StageContext& context, const Options& options, const CorpusPlace& place) {
  const std::string name = place.stage_name("encode");
  context.log.set_stage(name);
  const auto corpus = corpus_manifest(context, options, place);
  const auto tokenizer = tokenizer_fingerprint(context, options);
  model::KeySpec key;
  comm::agree(context.comm, [&] {
    if (corpus.at("inputs").at("tokenizer") != tokenizer) {
      throw core::InputError(
          "the corpus was tokenised for another model, language or command than " +
          options.tokenizer.string() + " and the config say; run 'knnseq " +
          place.command("partition") + " --force'");
    }
    const auto info = describe_model(options, *open_tokenizer(options));
    key = options.datastore.key.resolved(info.decoder_layers);
  });
  const core::Json inputs = {{"corpus", corpus.at("identity")},
                             {"model", model_fingerprint(context, options.models.front())},
                             {"dtype", options.datastore.dtype},
                             {"threads", options.threads},
                             {"unit_entries", store::unit_entries},
                             {"key", model::to_string(key.kind)},
                             {"layer", key.layer},
                             {"sentence_keys", options.datastore.sentence_keys},
                             {"sample", options.datastore.sample},
                             {"seed", options.datastore.seed}};
  runtime::run_stage(context, {name, place.datastore, inputs,
                               [&] { return make_datastore(context, options, place, corpus); }});
}

}  // namespace knnseq::stages
