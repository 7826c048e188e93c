#include "runtime/lock_holder.hpp"

#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

#include <fmt/format.h>
#include <unistd.h>

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

/// Field 22 of /proc/PID/stat (proc(5)); 0 where there is no such process.
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
          {"token", holder.token}};
}

LockHolder lock_holder_from(const core::Json& json) {
  LockHolder holder;
  json.at("host").get_to(holder.host);
  json.at("pid").get_to(holder.pid);
  json.at("job").get_to(holder.job);
  json.at("since").get_to(holder.since_seconds);
  json.at("heartbeat").get_to(holder.beat_seconds);
  json.at("restarts").get_to(holder.restarts);
  json.at("process_start").get_to(holder.process_start);
  json.at("process_space").get_to(holder.process_space);
  json.at("token").get_to(holder.token);
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
  // Steps of one job may run side by side; what a requeued job was before cannot.
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
