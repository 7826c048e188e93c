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

/// Codes every key of a corpus: codes/shard-*.h5 holds `codes` [N, M] uint8, one row for each row
/// of the datastore's shard. Before, subset.codes is trained on the first corpus's training sample.
/// Collective.
void code_entries(runtime::StageContext& context, const Options& options,
                  const CorpusPaths& paths) {
  const SubsetSteps steps(paths);
  if (!paths.appended()) {
    train_on_keys(context, options, steps.codebook,
                  [&](std::int64_t width) { return codes_spec(options, width); });
  }
  const auto corpus = corpus_manifest(context, options, paths);
  const auto datastore = manifest_of<DatastoreManifest>(context, paths.step("encode"));
  const auto codebook = manifest_of<CodebookManifest>(context, steps.codebook);
  const core::Json inputs = {
      {"corpus", corpus.identity},     {"datastore", datastore.identity},
      {"codebook", codebook.identity}, {"device", context.placement.device.name()},
      {"threads", options.threads},    {"unit_entries", store::unit_entries}};
  const ShardCoding coding{paths, corpus, {paths.datastore}, steps.codebook, steps.codes.folder};
  runtime::run_stage(context, {steps.codes.stage, steps.codes.folder, inputs,
                               [&] { return code_shards(context, coding); }});
}

}  // namespace

void subset(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("subset");
  const auto corpora = find_subset_corpora(context, options);
  for (std::size_t i = 0; i < corpora.paths.size(); ++i) {
    const auto& paths = corpora.paths[i];
    const auto corpus = corpus_manifest(context, options, paths);
    const auto datastore = manifest_of<DatastoreManifest>(context, paths.step("encode"));
    comm::agree(context.comm, [&] {
      require_similar_sentences(corpus, datastore, options.subset);
      require_keys(datastore, "subset");
    });
    if (options.subset.encoder == SentenceEncoder::torchscript && !corpus.imported) {
      encode_sentences(context, options, paths);
    }
    if (options.subset.has_vectors()) {
      index_sentences(context, options, paths, corpora.first_sentences[i]);
    }
    code_entries(context, options, paths);
  }
}

}  // namespace knnseq::stages
