#include "stages/train/train.hpp"

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "index/codebook.hpp"
#include "index/train_codebook.hpp"
#include "obs/resources.hpp"
#include "runtime/stage_runner.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/stage.hpp"
#include "stages/train/read_sample.hpp"

namespace knnseq::stages {

namespace {

/// A checkpoint file: the XXH3-128 of the state, then the state.
void write_checkpoint(const std::filesystem::path& path, std::span<const std::byte> state) {
  const std::string_view bytes(reinterpret_cast<const char*>(state.data()), state.size());
  core::write_file_durably(path, core::fingerprint(bytes) + std::string(bytes));
}

std::vector<std::byte> read_checkpoint(const std::filesystem::path& path) {
  const std::string content = core::read_file(path);
  constexpr std::size_t digest = 32;
  if (content.size() < digest || core::fingerprint(std::string_view(content).substr(digest)) !=
                                     content.substr(0, digest)) {
    throw core::InputError(path, "is damaged; remove it to train from the start");
  }
  const auto bytes = std::as_bytes(std::span(content)).subspan(digest);
  return {bytes.begin(), bytes.end()};
}

runtime::StageOutcome make_codebook(runtime::StageContext& context, const Options& options,
                                    const index::IndexSpec& spec) {
  auto& comm = context.comm;
  const Folders folders(context.run_dir);
  const auto checkpoint = folders.codebook / "checkpoint";
  const auto sample = read_sample(comm, folders.datastore, options.shards, spec.d_in);

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
  hooks.every = 5;
  hooks.save = [&](const std::string& step, std::int64_t iteration, std::span<const std::byte> state) {
    const bool stop = !comm.all(!runtime::stop_requested());
    comm::agree(comm, [&] {
      if (comm.is_root()) write_checkpoint(checkpoint, state);
      if (stop) {
        throw core::Stopped(fmt::format(
            "stopped by SIGUSR1 in {} after iteration {}; run the same command to go on", step,
            iteration));
      }
    });
  };
  const auto codebook = index::train_codebook(comm, sample, spec, training, hooks);
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    index::write_codebook(folders.codebook / "codebook.faiss", codebook);
    std::filesystem::remove(checkpoint);
  });
  runtime::StageOutcome outcome;
  outcome.content = {{"factory", spec.factory()},
                     {"checksum", index::checksum(codebook)},
                     {"sample", sample.total_rows}};
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    outcome.content["files"] = runtime::file_sizes(folders.codebook, {"codebook.faiss"});
    outcome.work.bytes = outcome.content["files"]["codebook.faiss"];
  });
  outcome.work.unit = "vectors";
  for (const auto& block : sample.blocks) outcome.work.items += block.size(0);
  return outcome;
}

}  // namespace

void train(runtime::StageContext& context, const Options& options) {
  context.log.set_stage("train");
  const Folders folders(context.run_dir);
  const auto datastore = manifest_of(context, folders.datastore, "encode");
  const std::int64_t width = datastore.at("content").at("width");
  index::IndexSpec spec;
  comm::agree(context.comm, [&] {
    spec = index::parse_index_spec(options.index.factory, width, options.index.metric);
    options.index.training.validate();
  });
  const auto& training = options.index.training;
  const core::Json inputs = {{"datastore", datastore.at("identity")},
                             {"factory", spec.factory()},
                             {"metric", options.index.metric},
                             {"threads", options.threads},
                             {"seed", training.seed},
                             {"coarse_iterations", training.coarse_iterations},
                             {"opq_iterations", training.opq_iterations},
                             {"opq_pq_iterations", training.opq_pq_iterations},
                             {"opq_first_pq_iterations", training.opq_first_pq_iterations},
                             {"pq_iterations", training.pq_iterations},
                             {"max_points_per_centroid", training.max_points_per_centroid}};
  runtime::run_stage(context, {"train", folders.codebook, inputs,
                               [&] { return make_codebook(context, options, spec); }});
}

}  // namespace knnseq::stages
