#include "runtime/shard_jobs.hpp"

#include <numeric>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/entry_id.hpp"
#include "core/error.hpp"
#include "core/hash.hpp"
#include "core/json_field.hpp"
#include "obs/resources.hpp"
#include "runtime/stop_signal.hpp"
#include "store/manifest.hpp"
#include "store/sealed_json.hpp"
#include "store/stored_ranges.hpp"
#include "store/verify_rows.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {
fs::path manifest_path(const fs::path& folder, std::int64_t shard) {
  return folder / (shard_name(shard) + ".json");
}

/// Fingerprint of a manifest without auxiliary ranges and the file's structure, which they shape
/// too.
core::Json shard_fingerprint(core::Json manifest) {
  manifest.erase("structure");
  if (!manifest.contains("units")) return core::fingerprint(manifest.dump());
  for (auto& unit : manifest.at("units")) {
    core::Json kept = core::Json::array();
    for (const auto& range : unit) {
      if (!range.value("aside", false)) kept.push_back(range);
    }
    unit = std::move(kept);
  }
  return core::fingerprint(manifest.dump());
}

/// Owner of the files made of a shard; `begun`: begun_identity() of its stage.
std::string shard_owner(const std::string& begun, std::int64_t shard) {
  return begun + "/" + shard_name(shard);
}
}  // namespace

core::Json read_begun_shard_manifest(const fs::path& folder, const std::string& begun,
                                     std::int64_t shard) {
  const auto path = manifest_path(folder, shard);
  core::Json manifest = store::read_sealed(path, shard_owner(begun, shard));
  const core::JsonField fields(path, manifest);
  fields.at("items").number(0, core::max_entry_number);
  if (fields.has("units")) {
    store::require_shard(fields);
  } else {
    fields.at("fingerprint").text();
  }
  return manifest;
}

core::Json read_shard_manifest(const fs::path& folder, std::int64_t shard) {
  const auto stage = store::read_manifest(folder / "manifest.json");
  if (!stage) throw core::InputError(folder, "is not complete");
  const auto begun = begun_identity(stage->stage, stage->inputs);
  core::Json manifest = read_begun_shard_manifest(folder, begun, shard);
  const auto fingerprint = stage->content_fields().at("shards").at(shard_name(shard));
  if (fingerprint.text() == shard_fingerprint(manifest).get<std::string>()) return manifest;
  throw core::InputError(manifest_path(folder, shard),
                         "is not what the stage's manifest.json knows");
}

void write_begun_shard_manifest(const fs::path& folder, const std::string& begun,
                                std::int64_t shard, const core::Json& manifest) {
  store::write_sealed(manifest_path(folder, shard), shard_owner(begun, shard), manifest);
}

void give_up_if(const Abandoned& abandoned) {
  if (abandoned()) throw core::SystemError("given up after another thread's failure");
}

void ShardJobs::commit(std::int64_t unit, const Means& with, store::ShardFile& file,
                       const ShardPlan& plan) {
  const auto items = plan.unit_items[unit];
  done_.bytes += file.commit(unit);
  done_.items += items;
  with.progress.add(items);
}

/// Writes units while the next ones are computed; false after a stop signal.
bool ShardJobs::compute_units(const std::vector<std::int64_t>& units, const Means& with,
                              store::ShardFile& file, const ShardPlan& plan) {
  const auto begin = [&](std::size_t i) {
    if (i == units.size()) return;
    with.worker.start([&work = with.work, &worker = with.worker, unit = units[i]] {
      return work.compute(unit, [&worker] { return worker.abandoned(); });
    });
  };
  begin(0);
  bool stopped = false;
  for (std::size_t i = 0; i < units.size() && !stopped; ++i) {
    const obs::Stopwatch waiting;
    const ComputedUnit computed = with.worker.take();
    stopped = stop_requested();
    if (!stopped) begin(i + 1);
    if (computed.wait) computed.wait();
    seconds_.waiting += waiting.seconds();
    const obs::Stopwatch writing;
    computed.write(file);
    commit(units[i], with, file, plan);
    seconds_.writing += writing.seconds();
  }
  return !stopped && !stop_requested();
}

/// Whether the shard is complete; false after a stop signal.
bool ShardJobs::run_shard(std::int64_t shard, const Means& with) {
  const ShardWork& work = with.work;
  auto& team = *team_.comm;
  ShardPlan plan;
  comm::agree(team, [&] { plan = work.prepare(shard); });
  const auto units = std::ssize(plan.unit_items);
  auto file =
      store::ShardFile::open({folder_, shard_name(shard), owner_}, team, plan.datasets, plan.label);
  std::vector<std::int64_t> left;  // of this rank
  for (std::int64_t unit = team.rank(); unit < units; unit += team.size()) {
    if (file.has(unit)) {
      with.progress.skip(plan.unit_items[unit]);
    } else {
      left.push_back(unit);
    }
  }
  const bool stopped = !compute_units(left, with, file, plan);
  if (!team.all(!stopped)) {
    file.close();
    return false;
  }
  core::Json committed = file.finish(team, units);
  comm::on_root(team, [&] {
    if (work.result != ".h5") require_rows(shard, committed.at("units"));
    core::Json manifest = work.finish(shard);
    manifest["items"] =
        std::accumulate(plan.unit_items.begin(), plan.unit_items.end(), std::int64_t{0});
    if (work.result == ".h5") manifest.update(committed);
    write_begun_shard_manifest(folder_, owner_, shard, manifest);
    remove_leftovers(shard, work);
  });
  return true;
}

/// Removes what a complete shard no longer needs; called by one rank.
void ShardJobs::remove_leftovers(std::int64_t shard, const ShardWork& work) const {
  if (work.result != ".h5") fs::remove(folder_ / (shard_name(shard) + ".h5"));
  store::ShardFile::remove_journals(folder_, shard_name(shard));
}

/// Verifies rows that earlier runs committed, before something else is made of them.
void ShardJobs::require_rows(std::int64_t shard, const core::Json& units) const {
  const auto damaged = store::damaged_rows(folder_ / (shard_name(shard) + ".h5"), units);
  if (!damaged.empty()) throw core::InputError(damaged.front());
}

StageOutcome ShardJobs::run(const ShardWork& work) {
  comm::agree(context_.comm, [&] { owner_ = begun_identity(folder_); });
  Progress progress(context_, total_.unit, total_.items);
  done_ = {total_.unit, 0, 0};
  Prefetcher<ComputedUnit> worker;
  const Means with{work, progress, worker};
  bool complete = true;
  for (const auto shard : team_.shards) {
    auto& team = *team_.comm;
    const bool root_sees_it = team.is_root() && fs::exists(manifest_path(folder_, shard));
    if (!team.all(!team.is_root() || root_sees_it)) {
      complete = run_shard(shard, with);
    } else if (team.is_root()) {
      progress.skip(read_begun_shard_manifest(folder_, owner_, shard).at("items"));
      remove_leftovers(shard, work);
    }
    if (!complete) break;
  }
  progress.finish();
  if (!context_.comm.all(complete)) {
    comm::agree(context_.comm, [] {
      throw core::Stopped(
          "stopped by SIGUSR1; what is done is kept, run again (without --force) to go on");
    });
  }
  core::Json mine = core::Json::object();
  comm::agree(context_.comm, [&] {
    if (!team_.comm->is_root()) return;
    for (const auto shard : team_.shards) {
      const auto name = shard_name(shard);
      mine["shards"][name] = shard_fingerprint(read_begun_shard_manifest(folder_, owner_, shard));
      mine["files"].merge_patch(file_sizes(folder_, {name + ".json", name + work.result}));
    }
  });
  StageOutcome outcome{core::Json::object(), done_};
  for (const auto& of_rank : comm::gather_json(context_.comm, mine)) {
    outcome.content.merge_patch(of_rank);
  }
  return outcome;
}

}  // namespace knnseq::runtime
