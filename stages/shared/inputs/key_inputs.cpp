#include "stages/shared/inputs/key_inputs.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "store/corpus_shard.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

KeyInputs key_inputs(runtime::StageContext& context, const Options& options,
                     const CorpusPaths& paths, const CorpusManifest& corpus) {
  const auto tokenizer = tokenizer_fingerprint(context, options);
  model::KeySpec key;
  comm::agree(context.comm, [&] {
    if (corpus.tokenizer != tokenizer) {
      throw core::InputError(
          "the corpus was tokenised for another model, language or command than " +
          options.tokenizer.string() + " and the config say; run 'knnseq " +
          paths.command("partition") + " --force'");
    }
    require_text(corpus, "encoding");
    const auto info = describe_model(context, options, *open_tokenizer(options));
    key = options.datastore.key.resolved(info.decoder_layers);
  });
  return {.corpus = corpus.identity,
          .model = model_fingerprint(context, options.models.front()),
          .dtype = options.datastore.dtype,
          .device = context.placement.device.name(),
          .threads = options.threads,
          .unit_entries = store::unit_entries,
          .key = key.kind,
          .layer = key.layer,
          .keys = options.datastore.keys,
          .store = options.datastore.store,
          .sentence_keys = options.datastore.sentence_keys,
          .log_probs = options.datastore.log_probs};
}

void require_same_key_inputs(const KeyInputs& made_from, const KeyInputs& inputs,
                             const CorpusPaths& paths) {
  const auto changes = store::describe_changes(made_from.to_json(), inputs.to_json());
  if (changes.empty()) return;
  throw core::InputError(
      paths.datastore,
      fmt::format("was made from other inputs: {}. With datastore.store: none the keys are made "
                  "again from the same; set it back, or run 'knnseq {} --force'",
                  changes, paths.command("encode")));
}

}  // namespace knnseq::stages
