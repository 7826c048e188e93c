#include "runtime/stage_record.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <span>

#include <fmt/format.h>

#include "core/own_files.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "obs/terminal.hpp"
#include "runtime/run_directory.hpp"

namespace knnseq::runtime {

namespace {

struct Spread {
  double least, mean, most;
};

Spread spread_over_ranks(comm::Communicator& comm, double value) {
  return {comm.all_reduce(value, comm::Reduction::min),
          comm.all_reduce(value, comm::Reduction::sum) / comm.size(),
          comm.all_reduce(value, comm::Reduction::max)};
}

/// Which rank took longest, and how much longer than the mean; nothing where all take equally long,
/// as in stages whose ranks wait for each other to the end.
core::Json slowest_of(comm::Communicator& comm, double seconds) {
  const auto all = comm.all_gather(std::span<const double>(&seconds, 1)).values;
  const auto slowest = std::ranges::max_element(all);
  const double mean = std::accumulate(all.begin(), all.end(), 0.0) / comm.size();
  if (comm.size() == 1 || *slowest <= 1.01 * mean) return core::Json::object();
  return {{"slowest_rank", slowest - all.begin()},
          {"slowest_seconds", *slowest},
          {"mean_seconds", mean}};
}

}  // namespace

void record_stage(StageContext& context, const std::string& stage, const StageWork& work,
                  const StageSession& session) {
  const double seconds = session.seconds;
  auto& comm = context.comm;
  const Spread time = spread_over_ranks(comm, seconds);
  const double work_seconds =
      comm.all_reduce(work.seconds > 0 ? work.seconds : seconds, comm::Reduction::max);
  const auto slowest = slowest_of(comm, work.seconds > 0 ? work.seconds : seconds);
  const Spread memory = spread_over_ranks(comm, static_cast<double>(obs::peak_memory_bytes()));
  const auto items = comm.all_reduce(work.items, comm::Reduction::sum);
  const auto bytes = comm.all_reduce(work.bytes, comm::Reduction::sum);
  if (!comm.is_root()) return;
  core::Json record = {{"stage", stage},
                       {"ranks", comm.size()},
                       {"seconds_min", time.least},
                       {"seconds_mean", time.mean},
                       {"seconds_max", time.most},
                       {"work_seconds_max", work_seconds},
                       {"unit", work.unit},
                       {"items", items},
                       {"bytes", bytes},
                       {"peak_memory_max_bytes", std::llround(memory.most)},
                       {"peak_memory_mean_bytes", std::llround(memory.mean)}};
  record.update(slowest);
  if (!work.details.is_null()) record["details"] = work.details;
  if (!context.provenance.job.is_null()) record.update(context.provenance.job);
  record["began"] = utc_time(time.most);
  record["ended"] = utc_time();
  record["resumed"] = session.resumed;
  record["manifest"] = session.manifest;
  const auto records = context.run_dir / records_name;
  core::make_own_folders(context.run_dir, records);
  if (!context.provenance.config.empty()) {
    core::write_file_durably(records / (stage + ".yaml"), context.provenance.config);
  }
  core::write_file_durably(records / (stage + ".json"), record.dump(2) + "\n");
  context.log.event("stage_done", record);
  context.log.info(fmt::format(
      "done: {} {} in {}, {}/s, peak memory {} a rank", obs::with_commas(items), work.unit,
      obs::as_duration(time.most),
      obs::with_commas(std::llround(static_cast<double>(items) / std::max(work_seconds, 1e-3))),
      obs::as_bytes(std::llround(memory.most))));
}

core::Json stage_record(const std::filesystem::path& run_dir, const std::string& stage) {
  const auto path = run_dir / records_name / (stage + ".json");
  return std::filesystem::exists(path) ? core::read_json(path) : core::Json();
}

std::optional<double> recorded_rate(const core::Json& record) {
  if (!record.contains("work_seconds_max") || record.at("items") == 0) return {};
  return record.at("items").get<double>() / record.at("work_seconds_max").get<double>();
}

std::string stage_table(const std::filesystem::path& run_dir,
                        const std::vector<std::string>& stages) {
  std::string table =
      fmt::format("{:<22} {:>5} {:>24} {:>14} {:<10} {:>10} {:>10} {:>12}\n", "stage", "ranks",
                  "seconds min/mean/max", "items", "", "items/s", "written", "peak memory");
  for (const auto& stage : stages) {
    const auto path = run_dir / records_name / (stage + ".json");
    if (!std::filesystem::exists(path)) continue;
    const core::Json record = core::read_json(path);
    const double most = record["seconds_max"];
    const double rate =
        record["items"].get<double>() / std::max(record["work_seconds_max"].get<double>(), 1e-3);
    table += fmt::format("{:<22} {:>5} {:>24} {:>14} {:<10} {:>10} {:>10} {:>12}\n",
                         obs::printable(stage), record["ranks"].get<int>(),
                         fmt::format("{:.1f}/{:.1f}/{:.1f}", record["seconds_min"].get<double>(),
                                     record["seconds_mean"].get<double>(), most),
                         obs::with_commas(record["items"]),
                         obs::printable(record["unit"].get<std::string>()),
                         obs::with_commas(std::llround(rate)), obs::as_bytes(record["bytes"]),
                         obs::as_bytes(record["peak_memory_max_bytes"]));
  }
  return table;
}

}  // namespace knnseq::runtime
