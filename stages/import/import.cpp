#include "stages/import/import.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "obs/progress_meter.hpp"
#include "stages/import/foreign_store.hpp"
#include "stages/import/import_corpus.hpp"
#include "stages/import/import_index.hpp"
#include "stages/import/import_keys.hpp"
#include "stages/shared/inputs/open_model.hpp"
#include "stages/shared/inputs/stage.hpp"

namespace knnseq::stages {

namespace {

/// Opens the files of `import:` and says what they are.
Origin open_origin(runtime::StageContext& context, const Options& options) {
  Origin origin;
  comm::agree(context.comm, [&] {
    origin.model = describe_model(context, options, *open_tokenizer(options));
    origin.store.emplace(options.foreign, ModelShape{origin.model.width, origin.model.vocab_size});
  });
  origin.facts = origin.store->describe();
  origin.facts["files"] = fingerprint_files(context, origin.store->files());
  return origin;
}

}  // namespace

void import_datastore(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("import");
  const Origin origin = open_origin(context, options);
  context.log.info(fmt::format(
      "{} entries from {}: keys of width {} in {}. There is no text: neighbours are single tokens",
      obs::with_commas(origin.store->entries()), origin.facts.at("from").get<std::string>(),
      origin.store->width(), core::name_of(origin.store->key_type())));
  import_corpus(context, options, origin);
  import_keys(context, options, origin);
  if (!options.foreign.index.empty()) {
    import_index(context, options, origin);
    return;
  }
  context.log.info("no index was brought: 'knnseq train' and 'knnseq add' make one");
}

}  // namespace knnseq::stages
