#include "stages/add/add.hpp"

#include <optional>

#include "comm/agreement.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "runtime/input_files.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/key_inputs.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/shards/batch_encoder.hpp"
#include "stages/shared/shards/code_shards.hpp"

namespace knnseq::stages {

namespace {

/// Manifests of what the index is made from.
struct Sources {
  core::Json corpus, datastore;
};

runtime::StageOutcome make_index(runtime::StageContext& context, const Options& options,
                                 const CorpusPaths& place, const Sources& sources) {
  VectorSource keys{place.datastore};
  std::unique_ptr<model::TranslationModel> model;
  std::optional<BatchEncoder> encoder;
  if (!stores_keys(sources.datastore)) {
    comm::agree(context.comm,
                [&] { model = open_key_model(context, options, *open_tokenizer(options)); });
    runtime::require_unchanged_inputs(context);
    keys.encoder = &encoder.emplace(*model, options.datastore);
  }
  const std::int64_t vocab_size = sources.datastore.at("content").at("vocab_size");
  return code_shards(context, {place, sources.corpus, keys, codebook_step(place), place.index},
                     [&](const store::CorpusShard& corpus, std::int64_t) {
                       return entry_ids(corpus, vocab_size, place.first_entry);
                     });
}

}  // namespace

void add(runtime::StageContext& context, const Options& options, const CorpusPaths& place) {
  const std::string name = place.stage_name("add");
  context.log.set_stage(name);
  const Sources sources{corpus_manifest(context, options, place),
                        manifest_of(context, place, "encode")};
  const core::Json& corpus = sources.corpus;
  const core::Json& datastore = sources.datastore;
  const auto codebook = manifest_of(context, place, "train");
  comm::agree(context.comm, [&] {
    require_made_from(datastore, "corpus", corpus, place.command("encode"));
    if (!place.appended()) require_made_from(codebook, "datastore", datastore, "train");
    const std::int64_t entries = corpus.at("content").at("entries");
    if (place.first_entry + entries > core::max_entry_number) {
      throw core::InputError("all corpora together have more than 2^40 entries");
    }
  });
  core::Json inputs = {
      {"corpus", corpus.at("identity")},           {"datastore", datastore.at("identity")},
      {"codebook", codebook.at("identity")},       {"first_entry", place.first_entry},
      {"device", context.placement.device.name()}, {"threads", options.threads},
      {"unit_entries", store::unit_entries}};
  if (!stores_keys(datastore)) {  // then this stage makes them
    const auto keys = key_inputs(context, options, place, corpus);
    comm::agree(context.comm, [&] { require_same_key_inputs(datastore, keys, place); });
    inputs.update(keys);
  }
  runtime::run_stage(context, {name, place.index, inputs,
                               [&] { return make_index(context, options, place, sources); }});
}

}  // namespace knnseq::stages
