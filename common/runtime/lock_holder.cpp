#include "runtime/lock_holder.hpp"

#include <cstdlib>
#include <fstream>
#include <limits>
#include <random>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

#include "core/error.hpp"
#include "core/json_integer.hpp"
#include "obs/host_name.hpp"

namespace knnseq::runtime {

namespace fs = std::filesystem;

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string process_space() {
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  std::error_code error;
  const auto numbers = fs::read_symlink("/proc/self/ns/pid", error).string();
  return boot.empty() || error ? "" : boot + " " + numbers;
}

/// Field 22 of /proc/PID/stat (proc(5)); 0 if there is no such process.
std::uint64_t start_of(std::int64_t pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string line;
  std::getline(in, line);
  const auto name_end = line.rfind(')');  // the name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(line.substr(name_end + 1));
  std::string field;
  for (int i = 3; i <= 22; ++i) fields >> field;
  return std::strtoull(field.c_str(), nullptr, 10);
}

}  // namespace

std::string LockHolder::name() const {
  return fmt::format("process {} on {}{}", pid, host, job.empty() ? "" : " (job " + job + ")");
}

core::Json to_json(const LockHolder& holder) {
  return {{"host", holder.host},
          {"pid", holder.pid},
          {"job", holder.job},
          {"since", holder.since_seconds},
          {"heartbeat", holder.beat_seconds},
          {"restarts", holder.restarts},
          {"process_start", holder.process_start},
          {"process_space", holder.process_space},
          {"token", holder.token},
          {"builds", holder.builds}};
}

LockHolder lock_holder_from(const core::Json& json) {
  const auto number = [&](const char* key, std::int64_t most) {
    const auto value = core::json_integer(json.at(key));
    if (value && *value >= 0 && *value <= most) return *value;
    throw core::InputError(key, json.at(key).dump() + " is out of range");
  };
  constexpr std::int64_t most_seconds = std::int64_t{1} << 40;  // tens of thousands of years
  constexpr std::int64_t most_processes = std::numeric_limits<std::int32_t>::max();
  LockHolder holder;
  json.at("host").get_to(holder.host);
  holder.pid = number("pid", most_processes);
  json.at("job").get_to(holder.job);
  holder.since_seconds = number("since", most_seconds);
  holder.beat_seconds = number("heartbeat", most_seconds);
  holder.restarts = number("restarts", most_processes);
  holder.process_start =
      static_cast<std::uint64_t>(number("process_start", std::numeric_limits<std::int64_t>::max()));
  json.at("process_space").get_to(holder.process_space);
  json.at("token").get_to(holder.token);
  holder.builds = json.value("builds", true);  // earlier versions did not say
  return holder;
}

LockHolder this_process(std::int64_t now_seconds) {
  std::random_device random;
  LockHolder self;
  self.host = obs::host_name();
  self.pid = ::getpid();
  self.process_space = process_space();
  self.process_start = start_of(self.pid);
  self.job = variable("SLURM_JOB_ID");
  self.restarts = std::atoll(variable("SLURM_RESTART_COUNT").c_str());
  self.token = fmt::format("{:08x}{:08x}", random(), random());
  self.since_seconds = self.beat_seconds = now_seconds;
  return self;
}

HolderState judge(const LockHolder& holder, const LockHolder& self, bool process_is_there,
                  std::int64_t silent_seconds) {
  const bool same_space = !self.process_space.empty() && holder.process_space == self.process_space;
  if (same_space) return process_is_there ? HolderState::at_work : HolderState::gone;
  // Steps of one job may run side by side; a job and its requeued self cannot.
  const bool same_job = !self.job.empty() && holder.job == self.job;
  if (same_job && self.restarts > holder.restarts) return HolderState::requeued;
  const bool heard = self.beat_seconds - holder.beat_seconds < silent_seconds;
  return heard ? HolderState::at_work : HolderState::silent;
}

bool process_is_there(const LockHolder& holder) {
  const auto start = start_of(holder.pid);
  return start != 0 && start == holder.process_start;
}

std::string describe(HolderState state) {
  switch (state) {
    case HolderState::at_work:
      return "it is at work";
    case HolderState::gone:
      return "that process is gone";
    case HolderState::requeued:
      return "Slurm has requeued that job since";
    case HolderState::silent:
      return "it gives no more signs of life";
  }
  return "";
}

}  // namespace knnseq::runtime
