#include "stages/train/train.hpp"

#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "index/codebook.hpp"
#include "index/train_codebook.hpp"
#include "index/train_state.hpp"
#include "obs/resources.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/read_sample.hpp"
#include "stages/stage.hpp"

namespace knnseq::stages {

namespace {

constexpr double checkpoint_seconds = 5;
constexpr const char* checkpoint_name = "checkpoint";

std::vector<std::byte> read_checkpoint(const std::filesystem::path& path) {
  const std::string content = core::read_file(path);
  const auto bytes = std::as_bytes(std::span(content));
  try {
    index::train_state_from(bytes);
  } catch (const core::InputError& e) {
    throw core::InputError(path, std::string(e.what()) + "; --force starts over");
  }
  return {bytes.begin(), bytes.end()};
}

runtime::StageOutcome make_codebook(runtime::StageContext& context, const Options& options,
                                    const index::IndexSpec& spec, const SampledDatastore& datastore,
                                    const SampleSpec& wanted) {
  auto& comm = context.comm;
  const Folders folders(context.run_dir);
  const auto checkpoint = folders.codebook / checkpoint_name;
  auto sample = read_sample(context, datastore, wanted, spec.d_in);
  runtime::StageOutcome outcome;
  outcome.work.unit = "vectors";
  for (const auto& block : sample.blocks) outcome.work.items += block.size(0);
  const std::int64_t sample_rows = sample.total_rows;

  index::TrainOptions training = options.index.training;
  obs::Stopwatch since_shown;
  training.log = [&](const std::string& line) {
    context.log.event("iteration", {{"message", line}});
    if (since_shown.seconds() < 5) return;
    context.log.progress(line);
    since_shown = {};
  };
  training.warn = [&](const std::string& line) {
    if (comm.is_root()) context.log.warn(line);
  };
  index::CheckpointHooks hooks;
  comm::agree(comm, [&] {
    if (std::filesystem::exists(checkpoint)) hooks.resume = read_checkpoint(checkpoint);
  });
  obs::Stopwatch since_saved;
  bool saved = false;
  hooks.save = [&](const std::string& step, std::int64_t iteration,
                   std::span<const std::byte> state) {
    const bool stop = !comm.all(!runtime::stop_requested());
    comm::agree(comm, [&] {
      if (comm.is_root() && (stop || !saved || since_saved.seconds() > checkpoint_seconds)) {
        core::write_file_durably(checkpoint,
                                 {reinterpret_cast<const char*>(state.data()), state.size()});
        since_saved = {};
        saved = true;
      }
      if (stop) {
        throw core::Stopped(fmt::format(
            "stopped by SIGUSR1 in {} after iteration {}; run again (without --force) to go on",
            step, iteration));
      }
    });
  };
  index::Codebook codebook;
  try {
    codebook = index::train_codebook(comm, std::move(sample), spec, training, hooks);
  } catch (const core::InputError& e) {  // thrown on all ranks alike
    comm::agree(comm, [&] { throw e; });
  }
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    index::write_codebook(folders.codebook / "codebook.faiss", codebook);
  });
  outcome.content = {{"factory", spec.factory()},
                     {"lists", spec.nlist},
                     {"checksum", index::checksum(codebook)},
                     {"sample", sample_rows}};
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    outcome.content["files"] = runtime::describe_files(folders.codebook, {"codebook.faiss"});
    outcome.work.bytes = outcome.content["files"]["codebook.faiss"]["bytes"];
  });
  return outcome;
}

}  // namespace

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
  const auto& content = datastore.at("content");
  const SampledDatastore sampled{folders.datastore, options.shards, content.at("entries"),
                                 SampleSpec::from_json(content.at("aside").at("sample"))};
  const auto sample =
      SampleSpec{options.datastore.sample, options.datastore.seed}.of(sampled.entries);
  core::Json inputs = {{"datastore", datastore.at("identity")},
                       {"factory", spec.factory()},
                       {"metric", options.index.metric},
                       {"sample", sample.size},
                       {"sample_seed", sample.seed},
                       {"threads", options.threads}};
  inputs.update(training_inputs(options.index.training));
  runtime::run_stage(context, {"train", folders.codebook, inputs, [&] {
                                 return make_codebook(context, options, spec, sampled, sample);
                               }});
  comm::agree(context.comm, [&] {  // only now that the manifest is there
    if (context.comm.is_root()) std::filesystem::remove(folders.codebook / checkpoint_name);
  });
}

}  // namespace knnseq::stages
