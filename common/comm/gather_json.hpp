// Small structured values from all ranks.
#pragma once

#include <vector>

#include "comm/communicator.hpp"
#include "core/files.hpp"

namespace knnseq::comm {

/// Each rank's value, in rank order, on every rank. Collective.
inline std::vector<core::Json> gather_json(Communicator& comm, const core::Json& mine) {
  const std::string text = mine.dump();
  const auto all = comm.all_gather(std::span<const char>(text.data(), text.size()));
  std::vector<core::Json> values;
  for (int rank = 0; rank < comm.size(); ++rank) {
    const auto part = all.of(rank);
    values.push_back(core::Json::parse(part.begin(), part.end()));
  }
  return values;
}

}  // namespace knnseq::comm
