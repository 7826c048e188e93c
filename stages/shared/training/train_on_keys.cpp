#include "stages/shared/training/train_on_keys.hpp"

#include <algorithm>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/sample/read_sample.hpp"
#include "stages/shared/training/codebook_training.hpp"

namespace knnseq::stages {

core::Json trained_keys(runtime::StageContext& context, const DatastoreManifest& datastore,
                        const StageRef& step) {
  core::Json keys = {{"datastore", datastore.identity}};
  comm::on_root(context.comm, [&] {
    if (context.force == runtime::StageContext::Force::always) return;
    try {
      const auto manifest = store::read_manifest(step.folder / "manifest.json");
      if (!manifest) return;
      const auto vectors = CodebookManifest::from_json(*manifest).vectors;
      const auto& before = datastore.before;
      if (std::ranges::find(before, vectors) != before.end()) keys["datastore"] = vectors;
      const auto appended = manifest->inputs.find(trained_together);
      if (appended != manifest->inputs.end()) keys[trained_together] = *appended;
    } catch (const core::InputError&) {  // run_stage says what is wrong with it
    }
  });
  return core::Json::parse(context.comm.broadcast_string(keys.dump()));
}

void train_on_keys(runtime::StageContext& context, const Options& options, const StageRef& step,
                   const std::function<index::IndexSpec(std::int64_t width)>& spec_for) {
  const auto corpus = corpus_manifest(context, options);
  const auto datastore =
      manifest_of<DatastoreManifest>(context, first_corpus(options).step("encode"));
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    require_made_from({"corpus", datastore.made_from.corpus, "encode"}, corpus.identity);
    spec = spec_for(datastore.keys.width);
    options.index.training.validate();
  });
  const auto sampled = SampledDatastore::of(first_corpus(options), corpus, datastore);
  const SampleSpec sample = options.datastore.sample.of(sampled.corpus.entries);
  core::Json inputs = {{"factory", spec.factory()},
                       {"metric", options.index.metric},
                       {"device", context.placement.device.name()},
                       {"threads", options.threads}};
  inputs.update(trained_keys(context, datastore, step));
  const bool together = inputs.contains(trained_together);  // then the sample was of all corpora
  inputs.update(sample_inputs(together ? options.datastore.sample : sample));
  inputs.update(training_inputs(options.index.training));
  runtime::run_stage(context,
                     {step.stage, step.folder, inputs,
                      [&] {
                        return train_in_folder(
                            context, step.folder,
                            {.spec = spec,
                             .options = options.index.training,
                             .sample = sample.size,
                             .value_bytes = bytes_of(sampled.type)},
                            [&] { return read_sample(context, sampled, sample, spec.d_in); });
                      },
                      training_files()});
  remove_checkpoint(context, step.folder);
}

}  // namespace knnseq::stages
