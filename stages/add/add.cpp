#include "stages/add/add.hpp"

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/code_shards.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

namespace {

runtime::StageOutcome make_index(runtime::StageContext& context, const CorpusPlace& place,
                                 const core::Json& corpus_manifest,
                                 const core::Json& datastore_manifest) {
  const std::int64_t vocab_size = datastore_manifest.at("content").at("vocab_size");
  return code_shards(context,
                     {place, corpus_manifest, {place.datastore}, codebook_step(place), place.index},
                     [&](const store::CorpusShard& corpus, std::int64_t) {
                       return entry_ids(corpus, vocab_size, place.first_entry);
                     });
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
      {"corpus", corpus.at("identity")},           {"datastore", datastore.at("identity")},
      {"codebook", codebook.at("identity")},       {"first_entry", place.first_entry},
      {"device", context.placement.device.name()}, {"threads", options.threads},
      {"unit_entries", store::unit_entries}};
  runtime::run_stage(context, {name, place.index, inputs,
                               [&] { return make_index(context, place, corpus, datastore); }});
}

}  // namespace knnseq::stages
