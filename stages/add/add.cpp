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

/// What the index is made from.
struct Sources {
  CorpusManifest corpus;
  DatastoreManifest datastore;
};

runtime::StageOutcome make_index(runtime::StageContext& context, const Options& options,
                                 const CorpusPaths& paths, const Sources& sources) {
  VectorSource keys{paths.datastore};
  std::unique_ptr<model::TranslationModel> model;
  std::optional<BatchEncoder> encoder;
  if (!sources.datastore.stores_keys()) {
    comm::agree(context.comm,
                [&] { model = open_key_model(context, options, *open_tokenizer(options)); });
    runtime::require_unchanged_inputs(context);
    keys.encoder = &encoder.emplace(*model, options.datastore);
  }
  const std::int64_t vocab_size = sources.datastore.keys.vocab_size;
  return code_shards(context, {paths, sources.corpus, keys, paths.step("train"), paths.index},
                     [&](const store::CorpusShard& corpus, std::int64_t) {
                       return entry_ids(corpus, vocab_size, paths.first_entry);
                     });
}

}  // namespace

void add(runtime::StageContext& context, const Options& options, const CorpusPaths& paths) {
  const std::string name = paths.stage_name("add");
  context.log.set_stage(name);
  const Sources sources{corpus_manifest(context, options, paths),
                        manifest_of<DatastoreManifest>(context, paths.step("encode"))};
  const CorpusManifest& corpus = sources.corpus;
  const DatastoreManifest& datastore = sources.datastore;
  const auto codebook = manifest_of<CodebookManifest>(context, paths.step("train"));
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", datastore.made_from.corpus, paths.command("encode")},
                      corpus.identity);
    if (!paths.appended()) require_trained_on(codebook, datastore);
    if (paths.first_entry + corpus.entries > core::max_entry_number) {
      throw core::InputError("all corpora together have more than 2^40 entries");
    }
  });
  core::Json inputs = {{"corpus", corpus.identity},
                       {"datastore", datastore.identity},
                       {"codebook", codebook.identity},
                       {"first_entry", paths.first_entry},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads},
                       {"unit_entries", store::unit_entries}};
  if (!datastore.stores_keys()) {  // then this stage makes them
    const auto keys = key_inputs(context, options, paths, corpus);
    comm::agree(context.comm, [&] { require_same_key_inputs(datastore.made_from, keys, paths); });
    inputs.update(keys.to_json());
  }
  runtime::run_stage(context, {name, paths.index, inputs,
                               [&] { return make_index(context, options, paths, sources); }});
}

}  // namespace knnseq::stages
