#include "comm/communicator.hpp"

#include <numeric>

namespace knnseq::comm {

std::string Communicator::broadcast_string(const std::string& mine, int root) {
  auto length = static_cast<std::int64_t>(mine.size());
  broadcast(std::span(&length, 1), root);
  std::string result = mine;
  result.resize(length);
  broadcast(std::span(result.data(), result.size()), root);
  return result;
}

std::int64_t Communicator::exclusive_scan(std::int64_t value) {
  const auto all = all_gather(std::span<const std::int64_t>(&value, 1));
  return std::accumulate(all.values.begin(), all.values.begin() + rank(), std::int64_t{0});
}

}  // namespace knnseq::comm
