#include "stages/append/measure.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "gpu/torch_device.hpp"
#include "index/train/quantization_error.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/shared/inputs/stage.hpp"
#include "stages/shared/sample/read_sample.hpp"
#include "stages/shared/training/trained_codebook.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t most_rows = 262'144;  ///< of either sample: enough for three digits
constexpr double much_larger = 1.5;

struct Measured {
  double error = 0;  ///< mean squared distance of a key from its code
  std::int64_t rows = 0;
};

/// The sample that encode stored, or as much of it as is measured.
SampleSpec measured_sample(const KeyFacts& keys) {
  auto sample = keys.sample;
  sample.size = std::min(sample.size, most_rows);
  return sample.of(keys.entries);
}

Measured measure_sample(runtime::StageContext& context, const index::VectorQuantizer& quantizer,
                        const SampledDatastore& sampled, const KeyFacts& keys) {
  const auto sample =
      read_sample(context, sampled, measured_sample(keys), quantizer.codebook().spec.d_in);
  return {index::quantization_error(context.comm, quantizer, sample), sample.total_rows};
}

runtime::StageOutcome measure_both(runtime::StageContext& context, const CorpusPaths& paths,
                                   const BuiltDatastore& datastore,
                                   const DatastoreManifest& appended_datastore) {
  const auto corpus = manifest_of<CorpusManifest>(context, paths.step("partition"));
  index::Codebook codebook;
  comm::agree(context.comm, [&] { codebook = read_trained_codebook(paths.step("train")); });
  const index::VectorQuantizer quantizer(codebook, gpu::torch_device(context.placement.device));
  const auto& first = datastore.first();
  const Measured trained = measure_sample(
      context, quantizer, SampledDatastore::of(first.paths, first.corpus, first.datastore),
      first.datastore.keys);
  const Measured appended =
      measure_sample(context, quantizer, SampledDatastore::of(paths, corpus, appended_datastore),
                     appended_datastore.keys);
  runtime::StageOutcome outcome;
  outcome.content =
      FitManifest{appended.error, appended.rows, trained.error, trained.rows}.to_json();
  outcome.content["files"] = core::Json::object();
  outcome.work.unit = "vectors";
  if (context.comm.is_root()) outcome.work.items = appended.rows + trained.rows;
  return outcome;
}

void report(runtime::StageContext& context, const std::string& name, std::int64_t entries,
            const FitManifest& fit) {
  const double error = fit.quantisation_error;
  const double training = fit.training_error;
  const std::string counted =
      fmt::format("append {}: {} entries; ", name, obs::with_commas(entries));
  if (training == 0) {
    context.log.info(counted + "no quantisation error: keys are stored as they are");
    return;
  }
  const double ratio = error / training;
  context.log.info(fmt::format(
      "{}quantisation error {:.4g}, the training sample's is {:.4g}: {:.2f} times as large",
      counted, error, training, ratio));
  if (ratio <= much_larger || !context.comm.is_root()) return;
  context.log.warn(
      fmt::format("the codebook does not fit the corpus '{}' well; 'knnseq train --continue' makes "
                  "a new one of "
                  "all corpora together, and codes their stored keys anew",
                  name));
}

}  // namespace

void measure(runtime::StageContext& context, const Options& options, const CorpusPaths& paths,
             const BuiltDatastore& datastore) {
  const auto appended = manifest_of<DatastoreManifest>(context, paths.step("encode"));
  const core::Json inputs = {
      {"datastore", appended.identity},
      {"sample", measured_sample(appended.keys).to_json()},
      {"training_datastore", datastore.first().datastore.identity},
      {"training_sample", measured_sample(datastore.first().datastore.keys).to_json()},
      {"codebook", datastore.codebook.identity},
      {"device", context.placement.device.name()},
      {"threads", options.threads}};
  const auto folder = paths.made_by("measure");
  runtime::run_stage(context, {paths.stage_name("measure"), folder, inputs,
                               [&] { return measure_both(context, paths, datastore, appended); }});
  report(context, paths.name, appended.keys.entries,
         manifest_of<FitManifest>(context, paths.step("measure")));
}

}  // namespace knnseq::stages
