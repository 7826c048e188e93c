#include "stages/run/room_check.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "comm/gather_json.hpp"
#include "obs/host_name.hpp"
#include "obs/progress_meter.hpp"
#include "obs/resources.hpp"
#include "stages/shared/plan/planned_bytes.hpp"
#include "stages/shared/plan/planned_memory.hpp"

namespace knnseq::stages {

namespace {

namespace fs = std::filesystem;

/// What lies in a folder, with its folders.
std::int64_t bytes_in(const fs::path& folder) {
  std::int64_t bytes = 0;
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(folder, error)) {
    if (entry.is_regular_file(error)) bytes += static_cast<std::int64_t>(entry.file_size(error));
  }
  return bytes;
}

/// The nearest folder above a path that exists.
fs::path existing_part(fs::path path) {
  path = fs::absolute(path);
  while (!fs::exists(path) && path.has_relative_path()) path = path.parent_path();
  return path;
}

/// A host, its ranks and its free memory.
struct Host {
  std::string name;
  std::int64_t ranks = 0;
  std::int64_t free_bytes = 0;
};

std::vector<Host> all_hosts(comm::Communicator& comm) {
  std::vector<Host> hosts;
  const core::Json mine = {{"name", obs::host_name()}, {"free", obs::available_memory_bytes()}};
  for (const auto& rank : comm::gather_json(comm, mine)) {
    const auto name = rank.at("name").get<std::string>();
    auto host = std::ranges::find(hosts, name, &Host::name);
    if (host == hosts.end()) host = hosts.insert(host, {name, 0, rank.at("free")});
    ++host->ranks;
  }
  return hosts;
}

}  // namespace

std::int64_t missing_bytes(const Options& options, const Needs& needs) {
  std::int64_t planned = 0;
  std::int64_t there = 0;
  for (const auto& folder : plan_folders(options, needs)) {
    planned += folder.bytes;
    there += bytes_in(folder.path);
  }
  return std::max<std::int64_t>(planned - there, 0);
}

std::string check_disk(const Options& options, const Needs& needs, Problems& problems) {
  const auto missing = missing_bytes(options, needs);
  const fs::path place = existing_part(options.run_dir);
  std::error_code error;
  const auto space = fs::space(place, error);
  if (error) return fmt::format("{} of disk", obs::as_bytes(missing));
  const auto free = static_cast<std::int64_t>(space.available);
  if (missing > free) {
    problems.note(fmt::format(
        "run_dir: {} will need about {} more than lies there, and {} has {} free",
        options.run_dir.string(), obs::as_bytes(missing), place.string(), obs::as_bytes(free)));
  }
  return fmt::format("{} of {} of free disk", obs::as_bytes(missing), obs::as_bytes(free));
}

std::string check_memory(runtime::StageContext& context, const Options& options, const Needs& needs,
                         Problems& problems) {
  const auto hosts = all_hosts(context.comm);
  const std::int64_t always = program_bytes + needs.model_bytes;
  std::int64_t most = 0;
  for (const auto& [stage, of_rank, of_host] : plan_memory(options, needs, context.comm.size())) {
    for (const auto& host : hosts) {
      const auto bytes = host.ranks * (always + of_rank) + of_host;
      most = std::max(most, bytes);
      if (bytes <= host.free_bytes) continue;
      problems.note(fmt::format(
          "memory: {} will need about {} on {} with its {} ranks, and {} are free: start fewer "
          "ranks a host, or more hosts",
          stage, obs::as_bytes(bytes), host.name, host.ranks, obs::as_bytes(host.free_bytes)));
    }
  }
  return fmt::format("up to {} of memory a host", obs::as_bytes(most));
}

}  // namespace knnseq::stages
