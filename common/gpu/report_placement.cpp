#include "gpu/report_placement.hpp"

#include <map>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "comm/gather_json.hpp"
#include "obs/host_name.hpp"

namespace knnseq::gpu {

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
