#include "stages/doctor/rank_facts.hpp"

#include <cstdlib>

#include <ATen/Version.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include "gpu/device.hpp"
#include "index/search/describe_index.hpp"
#include "obs/host_name.hpp"

namespace knnseq::stages {

namespace {

void read_cores(RankFacts& facts) {
  facts.host_cores = sysconf(_SC_NPROCESSORS_ONLN);
  facts.allowed_cores = facts.host_cores;
  cpu_set_t cores;
  CPU_ZERO(&cores);
  // Fails on machines with more cores than a cpu_set_t holds: then no limit is known.
  if (sched_getaffinity(0, sizeof(cores), &cores) != 0) return;
  facts.allowed_cores = CPU_COUNT(&cores);
  while (facts.first_core < CPU_SETSIZE - 1 && !CPU_ISSET(facts.first_core, &cores)) {
    ++facts.first_core;
  }
}

}  // namespace

RankFacts rank_facts(const gpu::Placement& placement) {
  RankFacts facts;
  facts.host = obs::host_name();
  read_cores(facts);
  facts.memory_bytes = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  facts.cpu_capability = at::get_cpu_capability();
  facts.instruction_set = index::describe_index().instruction_set;
  if (const char* bind = std::getenv("OMP_PROC_BIND")) facts.proc_bind = bind;
  facts.gpus = std::ssize(gpu::visible_devices());
  if (!placement.device.cuda) return facts;
  facts.gpu = placement.device.index;
  facts.gpu_name = placement.facts.name;
  facts.gpu_uuid = placement.facts.uuid;
  facts.gpu_capability = fmt::format("{}.{}", placement.facts.major, placement.facts.minor);
  facts.gpu_bytes = placement.facts.memory_bytes;
  facts.gpu_free_bytes = placement.facts.free_bytes;
  return facts;
}

}  // namespace knnseq::stages
