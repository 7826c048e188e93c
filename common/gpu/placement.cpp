#include "gpu/placement.hpp"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/agreement.hpp"
#include "comm/gather_json.hpp"
#include "core/error.hpp"
#include "obs/host_name.hpp"

namespace knnseq::gpu {

namespace {

/// One string of each rank.
std::vector<std::string> gather_strings(comm::Communicator& comm, const std::string& mine) {
  const auto all = comm.all_gather<char>(mine);
  std::vector<std::string> strings;
  for (int rank = 0; rank < comm.size(); ++rank) {
    const auto part = all.of(rank);
    strings.emplace_back(part.begin(), part.end());
  }
  return strings;
}

bool has_repeats(std::vector<std::string> values) {
  std::ranges::sort(values);
  return std::ranges::adjacent_find(values) != values.end();
}

}  // namespace

Placement place_rank(comm::Communicator& comm, Wanted wanted) {
  Placement placement;
  const auto hosts = gather_strings(comm, obs::host_name());
  const auto own = hosts.begin() + comm.rank();
  placement.local_rank = static_cast<int>(std::count(hosts.begin(), own, *own));
  placement.local_ranks = static_cast<int>(std::count(hosts.begin(), hosts.end(), *own));
  if (wanted == Wanted::cpu) return placement;

  std::vector<DeviceFacts> devices;
  comm::agree(comm, [&] {
    if (wanted == Wanted::cuda && !built_with_cuda()) {
      throw core::InputError(
          "device: cuda needs the program knnseq-cuda, which a build with -DKNNSEQ_CUDA=ON makes; "
          "this one computes on CPUs only");
    }
    devices = visible_devices();
    if (wanted == Wanted::cuda && devices.empty()) {
      throw core::InputError(fmt::format(
          "device: cuda, but this process sees no CUDA device on {}; look at nvidia-smi and "
          "CUDA_VISIBLE_DEVICES there, or set device: cpu",
          obs::host_name()));
    }
  });
  if (!comm.all(!devices.empty())) return placement;
  const auto chosen = static_cast<std::size_t>(placement.local_rank) % devices.size();
  placement.facts = devices[chosen];
  placement.device = {true, placement.facts.index};
  placement.shares_gpu = has_repeats(gather_strings(comm, placement.facts.uuid));
  comm::agree(comm, [&] { use_device(placement.device.index); });
  return placement;
}

void report_placement(comm::Communicator& comm, obs::Log& log, const Placement& placement) {
  if (!placement.device.cuda) return;  // on all ranks alike
  const auto all = comm::gather_json(comm, {{"host", obs::host_name()},
                                            {"gpu", placement.device.index},
                                            {"uuid", placement.facts.uuid},
                                            {"name", placement.facts.name}});
  if (!comm.is_root()) return;
  std::map<std::string, std::vector<std::string>> hosts;
  std::map<std::string, int> ranks_of;  // of a GPU
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    const auto& place = all[rank];
    hosts[place.at("host")].push_back(fmt::format("rank {} on GPU {} ({})", rank,
                                                  place.at("gpu").get<int>(),
                                                  place.at("name").get<std::string>()));
    ++ranks_of[place.at("uuid")];
  }
  for (const auto& [host, places] : hosts) {
    log.info(fmt::format("{}: {}", host, fmt::join(places, ", ")));
  }
  if (!placement.shares_gpu) return;
  log.warn(
      fmt::format("{} ranks share {} GPUs: what they exchange goes through the host's memory, not "
                  "NCCL; start as "
                  "many ranks as there are GPUs",
                  all.size(), ranks_of.size()));
}

}  // namespace knnseq::gpu
