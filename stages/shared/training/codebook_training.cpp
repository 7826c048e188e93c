#include "stages/shared/training/codebook_training.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "comm/agreement.hpp"
#include "core/error.hpp"
#include "gpu/collectives.hpp"
#include "gpu/device_memory.hpp"
#include "gpu/torch_device.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/train/train_codebook.hpp"
#include "index/train/train_state.hpp"
#include "index/train/training_memory.hpp"
#include "obs/resources.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/shared/inputs/manifests.hpp"

namespace knnseq::stages {

namespace {

constexpr double checkpoint_seconds = 5;
constexpr const char* checkpoint_name = "checkpoint";
constexpr const char* codebook_name = "codebook.faiss";

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

/// Ranks that compute on the device of this one. Collective.
std::int64_t ranks_on_device(const runtime::StageContext& context) {
  const std::string& mine = context.placement.facts.uuid;
  const auto all = context.comm.all_gather<char>(mine);
  std::int64_t ranks = 0;
  for (int rank = 0; rank < context.comm.size(); ++rank) {
    if (std::ranges::equal(all.of(rank), mine)) ++ranks;
  }
  return ranks;
}

}  // namespace

void require_device_memory(runtime::StageContext& context, const CodebookTask& task) {
  const auto& device = context.placement.device;
  if (!device.cuda) return;  // on all ranks alike
  const std::int64_t sharing = ranks_on_device(context);
  comm::agree(context.comm, [&] {
    index::require_fits(
        task.spec, task.options,
        {task.sample, context.comm.size(), gpu::free_device_bytes(device.index) / sharing,
         task.sample_key, task.value_bytes});
  });
}

index::Codebook train_on_devices(runtime::StageContext& context, const CodebookTask& task,
                                 index::SampleBlocks sample, const index::CheckpointHooks& hooks) {
  const auto collectives =
      gpu::make_collectives(context.comm, context.placement, context.timeout_seconds);
  const index::TrainContext training(context.comm, gpu::torch_device(context.placement.device),
                                     *collectives);
  index::Codebook codebook =
      index::train_codebook(training, std::move(sample), task.spec, task.options, hooks);
  collectives->close();
  return codebook;
}

runtime::StageOutcome train_in_folder(runtime::StageContext& context,
                                      const std::filesystem::path& folder, const CodebookTask& task,
                                      const std::function<index::SampleBlocks()>& read_sample) {
  auto& comm = context.comm;
  const auto checkpoint = folder / checkpoint_name;
  require_device_memory(context, task);
  index::SampleBlocks sample = read_sample();
  runtime::StageOutcome outcome;
  outcome.work.unit = "vectors";
  for (const auto& block : sample.blocks) outcome.work.items += block.size(0);
  const std::int64_t sample_rows = sample.total_rows;

  CodebookTask logged = task;
  obs::Stopwatch since_shown;
  logged.options.log = [&](const std::string& line) {
    context.log.event("iteration", {{"message", line}});
    if (since_shown.seconds() < 5) return;
    context.log.progress(line);
    since_shown = {};
  };
  logged.options.warn = [&](const std::string& line) {
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
    codebook = train_on_devices(context, logged, std::move(sample), hooks);
  } catch (const core::InputError& e) {  // thrown on all ranks alike
    comm::agree(comm, [&] { throw e; });
  }
  comm::on_root(comm, [&] { index::write_codebook(folder / codebook_name, codebook); });
  outcome.content = CodebookFacts{task.spec.factory(), task.spec.nlist}.to_json();
  outcome.content["checksum"] = index::checksum(codebook);
  outcome.content["sample"] = sample_rows;
  comm::on_root(comm, [&] {
    outcome.content["files"] = runtime::describe_files(folder, {codebook_name});
    outcome.work.bytes = outcome.content["files"][codebook_name]["bytes"];
  });
  return outcome;
}

std::vector<std::string> training_files() { return {checkpoint_name, codebook_name}; }

void remove_checkpoint(runtime::StageContext& context, const std::filesystem::path& folder) {
  comm::on_root(context.comm, [&] { std::filesystem::remove(folder / checkpoint_name); });
}

}  // namespace knnseq::stages
