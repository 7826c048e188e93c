#include "stages/doctor/diagnosis.hpp"

#include <algorithm>
#include <map>
#include <set>

#include <fmt/format.h>

namespace knnseq::stages {

namespace {

using Lines = std::vector<std::string>;

void diagnose_build(const LibraryFacts& libraries, Lines& lines) {
  if (libraries.build_type != "Release" && libraries.build_type != "RelWithDebInfo") {
    lines.push_back(
        fmt::format("this is a {} build, many times slower; configure with "
                    "-DCMAKE_BUILD_TYPE=Release",
                    libraries.build_type));
  }
  if (!libraries.hdf5.parallel) {
    lines.emplace_back("HDF5 lacks its MPI-IO driver; datastores cannot be written");
  }
}

bool binds_threads(const RankFacts& rank) {
  return !rank.proc_bind.empty() && rank.proc_bind != "false" && rank.proc_bind != "FALSE";
}

/// `ranks` are those of one host, and `first` is the number of its first one.
void diagnose_cores(const std::vector<RankFacts>& ranks, std::size_t first, std::int64_t threads,
                    Lines& lines) {
  const RankFacts& speaker = ranks.front();
  if (std::ssize(ranks) * threads > speaker.host_cores) {
    lines.push_back(fmt::format("{}: {} ranks × {} threads are more than its {} cores",
                                speaker.host, ranks.size(), threads, speaker.host_cores));
  }
  if (binds_threads(
          speaker)) {  // the main thread then shows a core of its own, not all that it had
    std::set<std::int64_t> cores;
    for (const auto& rank : ranks) cores.insert(rank.first_core);
    if (cores.size() == ranks.size()) return;
    lines.push_back(
        fmt::format("{}: OMP_PROC_BIND={} puts threads of several ranks on the same "
                    "core; unset it, or let mpirun give each rank cores of its own",
                    speaker.host, speaker.proc_bind));
  } else if (speaker.allowed_cores < std::min(threads, speaker.host_cores)) {
    lines.push_back(
        fmt::format("{}: rank {} may run on {} of {} cores, with {} threads; give "
                    "mpirun --bind-to none, or each task of srun as many cpus",
                    speaker.host, first, speaker.allowed_cores, speaker.host_cores, threads));
  }
}

void diagnose_processors(const std::vector<RankFacts>& ranks, Lines& lines) {
  std::set<std::string> kinds;
  for (const auto& rank : ranks) {
    if (rank.gpu < 0) kinds.insert(rank.cpu_capability + "/" + rank.instruction_set);
    if (rank.gpu >= 0) kinds.insert(rank.gpu_name);
  }
  if (kinds.size() < 2) return;
  std::string all;
  for (const auto& kind : kinds) all += (all.empty() ? "" : ", ") + kind;
  lines.push_back(
      fmt::format("ranks compute on processors of different kinds ({}), which round "
                  "differently: the same run elsewhere gives other last bits",
                  all));
}

/// Checks ranks that all compute on GPUs.
void diagnose_gpus(const LibraryFacts& libraries, const std::vector<RankFacts>& ranks,
                   Lines& lines) {
  std::set<std::string> used;
  std::map<std::string, std::set<std::string>> used_on;
  std::map<std::string, std::int64_t> seen_on;
  for (const auto& rank : ranks) {
    used.insert(rank.gpu_uuid);
    used_on[rank.host].insert(rank.gpu_uuid);
    seen_on[rank.host] = std::max(seen_on[rank.host], rank.gpus);
  }
  if (used.size() < ranks.size()) {
    lines.push_back(
        fmt::format("{} ranks share {} GPUs: what they exchange goes through the host's memory, "
                    "not NCCL; start "
                    "as many ranks as there are GPUs",
                    ranks.size(), used.size()));
  } else if (ranks.size() > 1 && libraries.mpi.says_cuda && !libraries.mpi.cuda_aware) {
    lines.emplace_back(
        "MPI is not CUDA-aware; nothing depends on it: what GPUs exchange goes "
        "through NCCL");
  }
  for (const auto& [host, gpus] : used_on) {
    if (std::ssize(gpus) >= seen_on[host]) continue;
    lines.push_back(fmt::format("{}: {} of {} GPUs are used; start a rank for each", host,
                                gpus.size(), seen_on[host]));
  }
}

/// Checks ranks that all compute on CPUs.
void diagnose_lack_of_gpus(const LibraryFacts& libraries, const std::vector<RankFacts>& ranks,
                           Lines& lines) {
  const auto sees_gpus = [](const RankFacts& rank) { return rank.gpus > 0; };
  const auto with = std::ranges::find_if(ranks, sees_gpus);
  const auto without = std::ranges::find_if_not(ranks, sees_gpus);
  if (with == ranks.end()) {
    if (libraries.cuda) {
      lines.emplace_back("this program is for GPUs, but no rank sees one; all compute on CPUs");
    }
  } else if (without != ranks.end()) {
    lines.push_back(fmt::format("{} has GPUs, but {} has none, so that all ranks compute on CPUs",
                                with->host, without->host));
  }
}

}  // namespace

std::vector<std::string> diagnose(const LibraryFacts& libraries,
                                  const std::vector<RankFacts>& ranks, std::int64_t threads) {
  Lines lines;
  diagnose_build(libraries, lines);
  std::map<std::string, std::vector<RankFacts>> hosts;
  std::map<std::string, std::size_t> first_of;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    first_of.emplace(ranks[i].host, i);
    hosts[ranks[i].host].push_back(ranks[i]);
  }
  for (const auto& [host, own] : hosts) diagnose_cores(own, first_of[host], threads, lines);
  diagnose_processors(ranks, lines);
  if (ranks.front().gpu >= 0) {
    diagnose_gpus(libraries, ranks, lines);
  } else {
    diagnose_lack_of_gpus(libraries, ranks, lines);
  }
  return lines;
}

}  // namespace knnseq::stages
