#include "stages/codebook_training.hpp"

#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "core/keep_freed_memory.hpp"
#include "gpu/device_collectives.hpp"
#include "gpu/torch_device.hpp"
#include "index/codebook.hpp"
#include "index/train_codebook.hpp"
#include "index/train_state.hpp"
#include "obs/resources.hpp"
#include "runtime/stop_signal.hpp"

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

}  // namespace

runtime::StageOutcome train_in_folder(runtime::StageContext& context,
                                      const CodebookTraining& training,
                                      index::SampleBlocks sample) {
  core::keep_freed_memory();
  auto& comm = context.comm;
  const auto checkpoint = training.folder / checkpoint_name;
  runtime::StageOutcome outcome;
  outcome.work.unit = "vectors";
  for (const auto& block : sample.blocks) outcome.work.items += block.size(0);
  const std::int64_t sample_rows = sample.total_rows;

  index::TrainOptions options = training.options;
  obs::Stopwatch since_shown;
  options.log = [&](const std::string& line) {
    context.log.event("iteration", {{"message", line}});
    if (since_shown.seconds() < 5) return;
    context.log.progress(line);
    since_shown = {};
  };
  options.warn = [&](const std::string& line) {
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
  const auto collectives =
      gpu::make_device_collectives(comm, context.placement, context.timeout_seconds);
  const auto device = gpu::torch_device(context.placement.device);
  const index::Team team(comm, device, *collectives);
  index::Codebook codebook;
  try {
    codebook = index::train_codebook(team, std::move(sample), training.spec, options, hooks);
  } catch (const core::InputError& e) {  // thrown on all ranks alike
    comm::agree(comm, [&] { throw e; });
  }
  collectives->close();
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    index::write_codebook(training.folder / "codebook.faiss", codebook);
  });
  outcome.content = {{"factory", training.spec.factory()},
                     {"lists", training.spec.nlist},
                     {"checksum", index::checksum(codebook)},
                     {"sample", sample_rows}};
  comm::agree(comm, [&] {
    if (!comm.is_root()) return;
    outcome.content["files"] = runtime::describe_files(training.folder, {"codebook.faiss"});
    outcome.work.bytes = outcome.content["files"]["codebook.faiss"]["bytes"];
  });
  return outcome;
}

void remove_checkpoint(runtime::StageContext& context, const std::filesystem::path& folder) {
  comm::agree(context.comm, [&] {
    if (context.comm.is_root()) std::filesystem::remove(folder / checkpoint_name);
  });
}

}  // namespace knnseq::stages
