#include "stages/shared/inputs/key_inputs.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "store/corpus_shard.hpp"
#include "store/manifest.hpp"

namespace knnseq::stages {

core::Json key_inputs(runtime::StageContext& context, const Options& options,
                      const CorpusPaths& place, const core::Json& corpus) {
  const auto tokenizer = tokenizer_fingerprint(context, options);
  model::KeySpec key;
  comm::agree(context.comm, [&] {
    if (corpus.at("inputs").at("tokenizer") != tokenizer) {
      throw core::InputError(
          "the corpus was tokenised for another model, language or command than " +
          options.tokenizer.string() + " and the config say; run 'knnseq " +
          place.command("partition") + " --force'");
    }
    const auto info = describe_model(context, options, *open_tokenizer(options));
    key = options.datastore.key.resolved(info.decoder_layers);
  });
  return {{"corpus", corpus.at("identity")},
          {"model", model_fingerprint(context, options.models.front())},
          {"dtype", options.datastore.dtype},
          {"device", context.placement.device.name()},
          {"threads", options.threads},
          {"unit_entries", store::unit_entries},
          {"key", model::to_string(key.kind)},
          {"layer", key.layer},
          {"store", to_string(options.datastore.store)},
          {"sentence_keys", options.datastore.sentence_keys}};
}

void require_same_key_inputs(const core::Json& datastore, const core::Json& inputs,
                             const CorpusPaths& place) {
  const auto changes = store::describe_changes(datastore.at("inputs"), inputs);
  if (changes.empty()) return;
  throw core::InputError(
      place.datastore,
      fmt::format("was made from other inputs: {}. With datastore.store: none the keys are made "
                  "again from the same; set it back, or run 'knnseq {} --force'",
                  changes, place.command("encode")));
}

}  // namespace knnseq::stages
