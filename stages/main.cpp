// Reads the arguments, starts MPI, dispatches to a stage, and is the outermost handler of errors.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <span>
#include <system_error>
#include <thread>

#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <omp.h>

#include "comm/agreement.hpp"
#include "comm/mpi_environment.hpp"
#include "core/allocator.hpp"
#include "core/error.hpp"
#include "core/own_files.hpp"
#include "gpu/placement.hpp"
#include "obs/host_name.hpp"
#include "obs/terminal.hpp"
#include "runtime/reader_lock.hpp"
#include "runtime/run_directory.hpp"
#include "runtime/run_lock.hpp"
#include "runtime/stop_signal.hpp"
#include "stages/build_commit.hpp"
#include "stages/command_line.hpp"
#include "stages/run/check.hpp"
#include "stages/run/run.hpp"
#include "stages/shared/inputs/removals.hpp"
#include "stages/shared/options/config_schema.hpp"
#include "stages/shared/options/inputs_outside.hpp"
#include "stages/stage_table.hpp"

namespace {

using namespace knnseq;

void set_threads(const stages::Options& options) {
  at::set_num_threads(static_cast<int>(options.threads));
  omp_set_num_threads(static_cast<int>(options.threads));
}

/// Gives `dtype: auto` the name that fingerprints keep: fp32 on CPUs; on GPUs bf16, or fp16 if a
/// rank's GPU is older than compute capability 8.0 and has no instructions for bf16. Collective.
void resolve_dtypes(stages::Options& options, comm::Communicator& comm,
                    const gpu::Placement& placement) {
  constexpr int first_with_bf16 = 8;
  const bool has_bf16 = comm.all(placement.facts.major >= first_with_bf16);
  const std::string best = !placement.device.cuda ? "fp32" : has_bf16 ? "bf16" : "fp16";
  const auto resolve = [&](std::string& dtype) {
    if (dtype == "auto") dtype = best;
  };
  resolve(options.datastore.dtype);
  resolve(options.tune.decoding.dtype);
  for (auto& decoding : options.decode) resolve(decoding.dtype);
}

/// `run --check` and `plan`, which leave the run directory as it is. `places`: they compute, on the
/// machine that the work will be done on.
void run_beside(stages::Options options, const std::string& resolved, obs::Log& log,
                comm::Communicator& world, bool places, const auto& run) {
  set_threads(options);
  gpu::Placement placement;
  if (places) {
    placement = gpu::place_rank(world, options.device);
    resolve_dtypes(options, world, placement);
  }
  runtime::StageContext context{
      world, log, options.run_dir, {}, resolved, options.timeout_seconds, placement};
  const c10::InferenceMode no_gradients;
  stages::leave_out_removed(world, log, options, {});
  run(context, options);
}

void run_command(const stages::CommandLine& command, const std::vector<std::string>& words,
                 comm::MpiEnvironment& mpi, obs::Log& log,
                 std::unique_ptr<comm::Communicator>& world) {
  const stages::Stage& stage = *stages::find_stage(stages::stage_table(), command.stage);
  log.set_stage(stage.name);
  stages::Options options;
  std::string resolved, explained;
  comm::agree(*world, [&] {
    if (command.config.empty()) return;
    const auto config = config::Config::load(command.config, command.overrides);
    options = stages::read_options(config);
    resolved = config.resolved();
    if (world->is_root()) {
      for (const auto& notice : config.notices()) log.info(notice);
    }
    if (command.print_config) explained = config.explained();
  });
  if (command.print_config) {
    if (world->is_root()) obs::print(explained);
    return;
  }
  if (command.list) {
    if (world->is_root())
      obs::print(fmt::format("{}\n", fmt::join(stages::commands(options), "\n")));
    return;
  }
  world = mpi.world(options.timeout_seconds);
  if (stage.run_directory == stages::RunDirectory::none) {
    runtime::StageContext context{*world, log, {}, {}, {}, options.timeout_seconds};
    stage.run(context, options, command.names);
    return;
  }
  if (command.check) {
    run_beside(
        options, resolved, log, *world, *command.check == stages::CheckScope::all,
        [&](auto& context, const auto& now) { stages::check_run(context, now, *command.check); });
    return;
  }
  if (stage.run_directory == stages::RunDirectory::untouched) {
    run_beside(options, resolved, log, *world, !options.plan.measure.empty(),
               [&](auto& context, const auto& now) { stage.run(context, now, command.names); });
    return;
  }
  std::optional<runtime::RunLock> lock;       // rank 0's, until the command ends
  std::optional<runtime::ReaderLock> reader;  // the same of one that only reads
  const bool reads = stage.run_directory == stages::RunDirectory::read;
  comm::on_root(*world, [&] {
    using Use = runtime::RunDirectoryUse;
    const bool there = reads || stage.run_directory == stages::RunDirectory::verify;
    runtime::require_run_directory(options.run_dir, there ? Use::read : Use::write,
                                   stages::stage_folders());
    core::make_directories(options.run_dir);
    const bool builds = stage.run_directory == stages::RunDirectory::build;
    if (reads) {
      reader.emplace(options.run_dir);
    } else {
      lock.emplace(options.run_dir / "lock", runtime::LockTiming{}, builds);
    }
    if (builds) runtime::refuse_readers(options.run_dir);
    runtime::mark_run_directory(options.run_dir);
    log.open(options.run_dir / "log.jsonl");
    const auto& notice = reads ? reader->notice() : lock->notice();
    if (!notice.empty()) log.warn(notice);
  });
  set_threads(options);
  using Force = runtime::StageContext::Force;
  const bool several = stage.force == stages::Force::changed;
  const auto force = !command.force ? Force::no : several ? Force::changed : Force::always;
  const gpu::Placement placement = gpu::place_rank(*world, options.device);
  gpu::report_placement(*world, log, placement);
  resolve_dtypes(options, *world, placement);
  const runtime::ProgramFacts program{KNNSEQ_VERSION, stages::build_commit, KNNSEQ_BUILD_TYPE};
  const bool keeps_config = stages::lies_in(command.config, options.run_dir / "config.yaml");
  runtime::StageContext context{
      .comm = *world,
      .log = log,
      .run_dir = options.run_dir,
      .force = force,
      // The config.yaml that an earlier command left stays if it is the config of this one.
      .resolved_config = keeps_config ? "" : resolved,
      .timeout_seconds = options.timeout_seconds,
      .placement = placement,
      .provenance = {runtime::describe_job(*world, placement, program, words), resolved}};
  context.provenance.job["threads"] = options.threads;
  context.overrides = command.overrides;
  context.keeps_stamps = !reads;
  if (stage.name != "verify") {
    comm::agree(*world, [&] { stages::require_no_unfinished_change(options.run_dir, stage.name); });
  }
  stages::leave_out_removed(*world, log, options,
                            stage.name == "append" ? command.names : stages::Items{});
  const c10::InferenceMode no_gradients;
  stage.run(context, options, command.names);
  if (const auto folder = core::unsynced_folder(); world->is_root() && !folder.empty()) {
    log.warn(folder +
             ": this file system does not make names durable (fsync of a folder); after a "
             "power cut files may be missing that were there");
  }
}

/// What a command prints that does nothing else; empty for all others.
std::string information(const stages::CommandLine& command) {
  const auto table = stages::stage_table();
  if (command.version) {
    return fmt::format("knnseq {} (commit {})\n", KNNSEQ_VERSION, stages::build_commit);
  }
  if (command.schema) return stages::config_schema(stages::config_keys()).dump(1) + "\n";
  if (command.stage.empty()) {
    return command.list ? stages::stage_list(table) : stages::usage(table);
  }
  if (!command.help) return "";
  return stages::stage_help(*stages::find_stage(table, command.stage), stages::config_keys());
}

/// For launchers whose exit code does not tell whether ranks ran at all (slurm/stage.sbatch).
void write_success_marker(bool root) {
  const char* path = std::getenv("KNNSEQ_SUCCESS_FILE");
  if (root && path != nullptr) std::ofstream(path) << "done\n";
}

/// Everything between the start and the end of MPI. Returns the exit code.
int run_program(int argc, char** argv) {
  comm::MpiEnvironment mpi(argc, argv);
  auto world = mpi.world();
  obs::Log log(world->rank(), world->size());
  const auto say = [&](const std::string& message, const std::vector<std::string>& items = {}) {
    obs::say_list("knnseq" + (log.stage().empty() ? "" : " " + log.stage()) + ": " + message,
                  items);
  };
  const auto place = [&] {
    return fmt::format("rank {} on {}: ", world->rank(), obs::host_name());
  };
  const auto fail = [&](const std::string& message, int code) -> int {
    // An error such as a full disk may hit several ranks at once: the first one ends them all.
    std::this_thread::sleep_for(std::chrono::milliseconds(250) * std::min(world->rank(), 16));
    log.event("error", {{"message", message}});
    say(place() + message);
    mpi.abort(code);
  };
  try {
    stages::CommandLine command;
    comm::agree(*world,
                [&] { command = stages::parse_command_line(argc, argv, stages::stage_table()); });
    if (const auto text = information(command); !text.empty()) {
      if (world->is_root()) obs::print(text);
      return 0;
    }
    run_command(command, {argv, argv + argc}, mpi, log, world);
    write_success_marker(world->is_root());
    return 0;
  } catch (const comm::AgreedError& e) {
    if (e.ranks() == world->size()) {  // all ranks have it: one speaks, all end in order
      log.event("error", {{"message", e.what()}});
      const bool of_one = e.code() == core::ExitCode::failure ||
                          (e.code() == core::ExitCode::bad_input && !e.of_all());
      const auto items = core::items_of(e);
      if (e.is_speaker() && e.is_list()) {
        say(fmt::format("{}{} problems", of_one ? place() : "", items.size()), items);
      } else if (e.is_speaker()) {
        say((of_one ? place() : "") + e.what());
      }
      return static_cast<int>(e.code());
    }
    if (!e.is_speaker()) std::this_thread::sleep_for(std::chrono::seconds(5));  // one ends them all
    return fail(e.what(), static_cast<int>(e.code()));
  } catch (const core::Error& e) {  // this rank alone: the others may wait for it in a collective
    return fail(e.what(), static_cast<int>(e.code()));
  } catch (const std::bad_alloc&) {
    return fail("out of memory", 1);
  } catch (const std::system_error& e) {  // of the standard library, which says it of threads
    const bool thread = e.code() == std::errc::resource_unavailable_try_again;
    const std::string what = core::first_line(e.what());
    return fail(
        thread
            ? "a thread cannot be started, for lack of memory or by a limit on processes: " + what
            : what,
        1);
  } catch (const std::exception& e) {
    return fail(core::first_line(e.what()), 1);
  }
}

/// Whether the command is one that SIGTERM and SIGINT end as they should. Asked before the
/// arguments are read, since other threads must not be there yet.
bool is_told_to_end(std::span<char* const> arguments) {
  for (const char* argument : arguments) {
    const auto* stage = stages::find_stage(stages::stage_table(), argument);
    if (stage != nullptr) return stage->name == "serve";
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  core::keep_freed_memory();
  runtime::hold_stop_signal();
  if (is_told_to_end(std::span(argv, static_cast<std::size_t>(argc)))) runtime::hold_end_signals();
  try {
    return run_program(argc, argv);
  } catch (const core::Error& e) {  // MPI could not be started
    obs::say(std::string("knnseq: ") + e.what());
    return static_cast<int>(e.code());
  }
}
