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
    origin.sentences.emplace(options.foreign, *origin.store);
  });
  comm::on_root(context.comm, [&] { origin.sentences->find_batches(); });
  origin.sentences->share_batches(context.comm);
  origin.facts = origin.store->describe();
  auto files = origin.store->files();
  if (origin.sentences->are_lines()) origin.facts["sentences"] = origin.sentences->sentences();
  if (!options.foreign.sentences.empty()) {
    comm::agree(context.comm, [&] {
      origin.features.emplace(options.foreign, *origin.sentences);
      require_feature_width(options, *origin.features, origin.model);
    });
    origin.facts["sentence_width"] = origin.features->width();
    origin.facts["encoder_width"] = origin.model.source_width;
    const auto& more = origin.features->paths();
    files.insert(files.end(), more.begin(), more.end());
  }
  origin.facts["files"] = fingerprint_files(context, files);
  return origin;
}

/// What there is beside keys and tokens.
std::string describe_sentences(const Origin& origin) {
  if (!origin.sentences->are_lines()) return "There is no text: neighbours are single tokens";
  const auto count = obs::with_commas(origin.sentences->sentences());
  if (!origin.features) return fmt::format("{} sentences without their sources", count);
  return fmt::format(
      "{} sentences without their sources, of which there are features of width {}{}", count,
      origin.features->width(),
      origin.features->have_own_order() ? " in the order of values.bin of the source" : "");
}

}  // namespace

void import_datastore(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("import");
  const Origin origin = open_origin(context, options);
  context.log.info(fmt::format(
      "{} entries from {}: keys of width {} in {}. {}", obs::with_commas(origin.store->entries()),
      origin.facts.at("from").get<std::string>(), origin.store->width(),
      core::name_of(origin.store->key_type()), describe_sentences(origin)));
  import_corpus(context, options, origin);
  import_keys(context, options, origin);
  if (!options.foreign.index.empty()) {
    import_index(context, options, origin);
    return;
  }
  context.log.info("no index was brought: 'knnseq train' and 'knnseq add' make one");
}

}  // namespace knnseq::stages
