#include "stages/subset/subset.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/search/built_subset.hpp"
#include "stages/shared/shards/code_shards.hpp"
#include "stages/shared/training/train_on_keys.hpp"
#include "stages/subset/encode_sentences.hpp"
#include "stages/subset/index_sentences.hpp"

namespace knnseq::stages {

index::IndexSpec codes_spec(const Options& options, std::int64_t width) {
  const auto spec = index::parse_index_spec(options.subset.codes, width, options.index.metric);
  if (spec.storage != index::Storage::pq || spec.has_lists()) {
    throw core::InputError("subset.codes: " + options.subset.codes +
                           " is not [OPQm|OPQm_d|PCAd,]PQm: codes for subsets have no lists");
  }
  return spec;
}

namespace {

/// Trains subset.codes on the datastore's training sample and codes every key: subset/codes/
/// shard-*.h5 holds `codes` [N, M] uint8, one row for each row of the datastore's shard.
/// Collective.
void code_entries(runtime::StageContext& context, const Options& options) {
  const SubsetSteps steps(context.run_dir);
  train_on_keys(context, options, steps.codebook,
                [&](std::int64_t width) { return codes_spec(options, width); });
  const auto corpus = corpus_manifest(context, options);
  const auto datastore =
      manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
  const auto codebook = manifest_of<CodebookManifest>(context, steps.codebook);
  const core::Json inputs = {
      {"corpus", corpus.identity},     {"datastore", datastore.identity},
      {"codebook", codebook.identity}, {"device", context.placement.device.name()},
      {"threads", options.threads},    {"unit_entries", store::unit_entries}};
  const CorpusPaths paths = first_corpus(options);
  const ShardCoding coding{paths, corpus, {paths.datastore}, steps.codebook, steps.codes.folder};
  runtime::run_stage(context, {steps.codes.stage, steps.codes.folder, inputs,
                               [&] { return code_shards(context, coding); }});
}

}  // namespace

void subset(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("subset");
  const auto datastore =
      manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
  const auto corpus = corpus_manifest(context, options);
  comm::agree(context.comm, [&] {
    refuse_appended(options);
    require_text(corpus, "subset");
    require_keys(datastore, "subset");
  });
  if (options.subset.encoder == SentenceEncoder::torchscript) encode_sentences(context, options);
  if (options.subset.has_vectors()) {
    index_sentences(context, options, find_sentence_vectors(context, options));
  }
  code_entries(context, options);
}

}  // namespace knnseq::stages
