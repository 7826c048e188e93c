#include "stages/subset/code_entries.hpp"

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/built_subset.hpp"
#include "stages/code_shards.hpp"
#include "stages/codebook_training.hpp"
#include "stages/read_sample.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

namespace {

index::IndexSpec codes_spec(const Options& options, std::int64_t width) {
  const auto spec = index::parse_index_spec(options.subset.codes, width, options.index.metric);
  if (spec.storage != index::Storage::pq || spec.has_lists()) {
    throw core::InputError("subset.codes: " + options.subset.codes +
                           " is not [OPQm|OPQm_d|PCAd,]PQm: codes for subsets have no lists");
  }
  return spec;
}

void train_codes(runtime::StageContext& context, const Options& options, const core::Json& corpus,
                 const core::Json& datastore) {
  const SubsetSteps steps(context.run_dir);
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    spec = codes_spec(options, datastore.at("content").at("width"));
    options.index.training.validate();
  });
  const auto sampled = SampledDatastore::of(first_corpus(options), corpus, datastore);
  const SampleSpec sample = options.datastore.sample.of(sampled.corpus.entries);
  core::Json inputs = {{"datastore", datastore.at("identity")},
                       {"factory", spec.factory()},
                       {"metric", options.index.metric},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads}};
  inputs.update(sample_inputs(sample));
  inputs.update(training_inputs(options.index.training));
  runtime::run_stage(
      context, {steps.codebook.stage, steps.codebook.folder, inputs, [&] {
                  return train_in_folder(
                      context, steps.codebook.folder, {spec, options.index.training, sample.size},
                      [&] { return read_sample(context, sampled, sample, spec.d_in); });
                }});
  remove_checkpoint(context, steps.codebook.folder);
}

}  // namespace

void code_entries(runtime::StageContext& context, const Options& options) {
  const SubsetSteps steps(context.run_dir);
  const auto corpus = corpus_manifest(context, options);
  const auto datastore = manifest_of(context, first_corpus(options), "encode");
  comm::agree(context.comm, [&] { require_made_from(datastore, "corpus", corpus, "encode"); });
  train_codes(context, options, corpus, datastore);
  const auto codebook = manifest_of(context, steps.codebook);
  const core::Json inputs = {
      {"corpus", corpus.at("identity")},     {"datastore", datastore.at("identity")},
      {"codebook", codebook.at("identity")}, {"device", context.placement.device.name()},
      {"threads", options.threads},          {"unit_entries", store::unit_entries}};
  const CorpusPlace place = first_corpus(options);
  const ShardCoding coding{place, corpus, {place.datastore}, steps.codebook, steps.codes.folder};
  runtime::run_stage(context, {steps.codes.stage, steps.codes.folder, inputs,
                               [&] { return code_shards(context, coding); }});
}

}  // namespace knnseq::stages
