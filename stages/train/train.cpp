#include "stages/train/train.hpp"

#include "comm/agreement.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/codebook_training.hpp"
#include "stages/read_sample.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

void train(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("train");
  const Folders folders(context.run_dir);
  const auto corpus = corpus_manifest(context, options);
  const auto datastore = manifest_of(context, first_corpus(options), "encode");
  const std::int64_t width = datastore.at("content").at("width");
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    require_made_from(datastore, "corpus", corpus, "encode");
    spec = index::parse_index_spec(options.index.factory, width, options.index.metric);
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
  runtime::run_stage(context,
                     {"train", folders.codebook, inputs, [&] {
                        return train_in_folder(
                            context, folders.codebook, {spec, options.index.training, sample.size},
                            [&] { return read_sample(context, sampled, sample, spec.d_in); });
                      }});
  remove_checkpoint(context, folders.codebook);
}

}  // namespace knnseq::stages
