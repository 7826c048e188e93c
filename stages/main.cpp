// Reads the arguments, starts MPI, dispatches to a stage, and is the outermost handler of errors.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <thread>

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include "comm/agreement.hpp"
#include "comm/mpi_environment.hpp"
#include "core/error.hpp"
#include "core/own_files.hpp"
#include "gpu/report_placement.hpp"
#include "obs/host_name.hpp"
#include "obs/terminal.hpp"
#include "runtime/run_directory.hpp"
#include "runtime/run_lock.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/add/add.hpp"
#include "stages/append/append.hpp"
#include "stages/command_line.hpp"
#include "stages/decode/decode.hpp"
#include "stages/doctor/doctor.hpp"
#include "stages/encode/encode.hpp"
#include "stages/evaluate/evaluate.hpp"
#include "stages/export/export.hpp"
#include "stages/inspect/inspect.hpp"
#include "stages/partition/partition.hpp"
#include "stages/run/run.hpp"
#include "stages/shared/options/inputs_outside.hpp"
#include "stages/shared/options/resolve_dtypes.hpp"
#include "stages/subset/subset.hpp"
#include "stages/sweep/sweep.hpp"
#include "stages/train/train.hpp"
#include "stages/tune/tune.hpp"
#include "stages/verify/verify.hpp"

namespace {

using namespace knnseq;

void dispatch(const stages::CommandLine& command, runtime::StageContext& context,
              const stages::Options& options) {
  const stages::CorpusPaths first = stages::first_corpus(options);
  if (command.stage == "partition") stages::partition(context, options, first);
  if (command.stage == "encode") stages::encode(context, options, first);
  if (command.stage == "train") stages::train(context, options);
  if (command.stage == "add") stages::add(context, options, first);
  if (command.stage == "subset") stages::subset(context, options);
  if (command.stage == "append") stages::append(context, options, command.names);
  if (command.stage == "export") stages::export_datastore(context, options);
  if (command.stage == "decode") stages::decode(context, options, command.names);
  if (command.stage == "evaluate") stages::evaluate(context, options);
  if (command.stage == "inspect") stages::inspect(context, options);
  if (command.stage == "sweep") stages::sweep(context, options);
  if (command.stage == "tune") stages::tune(context, options);
  if (command.stage == "verify") stages::verify(context);
  if (command.stage == "run") stages::run(context, options);
}

void run_command(const stages::CommandLine& command, comm::MpiEnvironment& mpi, obs::Log& log,
                 std::unique_ptr<comm::Communicator>& world) {
  log.set_stage(command.stage);
  stages::Options options;
  std::string resolved;
  comm::agree(*world, [&] {
    if (command.config.empty()) return;  // doctor's may be
    const auto config = config::Config::load(command.config, command.overrides);
    options = stages::read_options(config);
    resolved = config.resolved();
  });
  if (command.list) {
    if (world->is_root())
      obs::print(fmt::format("{}\n", fmt::join(stages::commands(options), "\n")));
    return;
  }
  world = mpi.world(options.timeout_seconds);
  if (command.stage == "doctor") {
    stages::doctor(*world, {options.device, options.threads});
    return;
  }
  std::optional<runtime::RunLock> lock;  // rank 0's, until the command ends
  comm::agree(*world, [&] {
    if (!world->is_root()) return;
    using Use = runtime::RunDirectoryUse;
    const bool reads = command.stage == "verify" || command.stage == "inspect";
    runtime::require_run_directory(options.run_dir, reads ? Use::read : Use::write);
    core::make_directories(options.run_dir);
    lock.emplace(options.run_dir / "lock");
    runtime::mark_run_directory(options.run_dir);
    log.open(options.run_dir / "log.jsonl");
    if (!lock->notice().empty()) log.warn(lock->notice());
    // What knnseq itself has kept of an earlier command stays when it is the config of this one.
    if (stages::lies_in(command.config, options.run_dir / "config.yaml")) resolved.clear();
  });
  at::set_num_threads(static_cast<int>(options.threads));
  omp_set_num_threads(static_cast<int>(options.threads));
  using Force = runtime::StageContext::Force;
  const bool several =
      command.stage == "run" || command.stage == "append" || command.stage == "tune";
  const auto force = !command.force ? Force::no : several ? Force::changed : Force::always;
  const gpu::Placement placement = gpu::place_rank(*world, options.device);
  gpu::report_placement(*world, log, placement);
  stages::resolve_dtypes(options, *world, placement);
  runtime::StageContext context{
      *world, log, options.run_dir, force, resolved, options.timeout_seconds, placement};
  const c10::InferenceMode no_gradients;
  dispatch(command, context, options);
  if (const auto folder = core::unsynced_folder(); world->is_root() && !folder.empty()) {
    log.warn(folder +
             ": this file system does not make names durable (fsync of a folder); after a "
             "power cut files may be missing that were there");
  }
}

/// For launchers whose exit code does not tell whether ranks ran at all (slurm/stage.sh).
void write_success_marker(bool root) {
  const char* path = std::getenv("KNNSEQ_SUCCESS_FILE");
  if (root && path != nullptr) std::ofstream(path) << "done\n";
}

/// Everything between the start and the end of MPI. Returns the exit code.
int run_program(int argc, char** argv) {
  comm::MpiEnvironment mpi(argc, argv);
  auto world = mpi.world();
  obs::Log log(world->rank(), world->size());
  const auto say = [&](const std::string& message) {
    obs::say("knnseq" + (log.stage().empty() ? "" : " " + log.stage()) + ": " + message);
  };
  const auto place = [&] {
    return fmt::format("rank {} on {}: ", world->rank(), obs::host_name());
  };
  const auto fail = [&](const std::string& message, int code) -> int {
    // The same may befall several ranks at once, such as a full disk: the first one ends them all.
    std::this_thread::sleep_for(std::chrono::milliseconds(250) * std::min(world->rank(), 16));
    log.event("error", {{"message", message}});
    say(place() + message);
    mpi.abort(code);
  };
  try {
    stages::CommandLine command;
    comm::agree(*world, [&] { command = stages::parse_command_line(argc, argv); });
    if (command.help || command.version) {
      if (world->is_root())
        obs::print(command.help ? stages::usage() : "knnseq " KNNSEQ_VERSION "\n");
      return 0;
    }
    run_command(command, mpi, log, world);
    write_success_marker(world->is_root());
    return 0;
  } catch (const comm::AgreedError& e) {
    if (e.ranks() == world->size()) {  // all ranks have it: one speaks, all end in order
      log.event("error", {{"message", e.what()}});
      const bool of_one = e.code() == core::ExitCode::failure ||
                          (e.code() == core::ExitCode::bad_input && !e.of_all());
      if (e.is_speaker()) say((of_one ? place() : "") + e.what());
      return static_cast<int>(e.code());
    }
    if (!e.is_speaker()) std::this_thread::sleep_for(std::chrono::seconds(5));  // one ends them all
    return fail(e.what(), static_cast<int>(e.code()));
  } catch (const core::Error& e) {  // this rank alone: the others may wait for it in a collective
    return fail(e.what(), static_cast<int>(e.code()));
  } catch (const std::bad_alloc&) {
    return fail("out of memory", 1);
  } catch (const std::exception& e) {
    return fail(core::first_line(e.what()), 1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  runtime::hold_stop_signal();
  try {
    return run_program(argc, argv);
  } catch (const core::Error& e) {  // MPI could not be started
    obs::say(std::string("knnseq: ") + e.what());
    return static_cast<int>(e.code());
  }
}
