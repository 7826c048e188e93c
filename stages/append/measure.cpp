#include "stages/append/measure.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "index/quantization_error.hpp"
#include "index/sample_selection.hpp"
#include "obs/progress_meter.hpp"
#include "runtime/stage_runner.hpp"
#include "stages/stage.hpp"
#include "stages/read_sample.hpp"

namespace knnseq::stages {

namespace {

constexpr std::int64_t most_rows = 262'144;  ///< of either sample: enough for three digits
constexpr double much_larger = 1.5;

struct Measured {
  double error = 0;  ///< mean squared distance of a key from its code
  std::int64_t rows = 0;
};

Measured measure_sample(comm::Communicator& comm, const index::Coder& coder,
                        const std::filesystem::path& datastore, const Options& options) {
  const auto all = read_sample(comm, datastore, options.shards, coder.codebook().spec.d_in);
  const auto some = index::subsample(all, most_rows, options.datastore.seed);
  return {index::quantization_error(comm, coder, some), some.total_rows};
}

runtime::StageOutcome measure_both(runtime::StageContext& context, const Options& options,
                                   const CorpusPlace& place, const BuiltDatastore& datastore) {
  index::Codebook codebook;
  comm::agree(context.comm,
              [&] { codebook = index::read_codebook(place.codebook / "codebook.faiss"); });
  const index::Coder coder(codebook);
  const auto& trained_on = datastore.first().place.datastore;
  const Measured trained = measure_sample(context.comm, coder, trained_on, options);
  const Measured appended = measure_sample(context.comm, coder, place.datastore, options);
  runtime::StageOutcome outcome;
  outcome.content = {{"quantisation_error", appended.error},
                     {"rows", appended.rows},
                     {"training_error", trained.error},
                     {"training_rows", trained.rows},
                     {"files", core::Json::object()}};
  outcome.work.unit = "vectors";
  if (context.comm.is_root()) outcome.work.items = appended.rows + trained.rows;
  return outcome;
}

void report(runtime::StageContext& context, const std::string& name, std::int64_t entries,
            const core::Json& content) {
  const double error = content.at("quantisation_error");
  const double training = content.at("training_error");
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
  context.log.warn(fmt::format(
      "the codebook does not fit the corpus '{}' well; for better neighbours train it on "
      "all text together (corpus.source and corpus.target take lists of files)",
      name));
}

}  // namespace

void measure(runtime::StageContext& context, const Options& options, const CorpusPlace& place,
             const BuiltDatastore& datastore) {
  const auto appended = manifest_of(context, place.datastore, place.command("encode"));
  const core::Json inputs = {{"datastore", appended.at("identity")},
                             {"training_datastore", datastore.first().datastore.at("identity")},
                             {"codebook", datastore.codebook.at("identity")},
                             {"threads", options.threads}};
  const auto folder = place.folder / "measure";
  runtime::run_stage(context, {place.stage_name("measure"), folder, inputs,
                               [&] { return measure_both(context, options, place, datastore); }});
  const auto measured = manifest_of(context, folder, place.command("measure"));
  report(context, place.name, appended.at("content").at("entries"), measured.at("content"));
}

}  // namespace knnseq::stages
