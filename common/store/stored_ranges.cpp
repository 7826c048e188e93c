#include "store/stored_ranges.hpp"

#include <limits>

namespace knnseq::store {

namespace {
constexpr std::int64_t last_offset = std::numeric_limits<std::int64_t>::max() / 2;
}

void require_range(const core::JsonField& range) {
  range.at("dataset").text();
  range.at("first_row").number(0, last_offset);
  range.at("bytes").number(0, last_offset);
  range.at("checksum").text();
  if (range.has("aside")) range.at("aside").flag();
}

void require_structure(const core::JsonField& structure) {
  const auto size = structure.at("bytes").number(0, last_offset);
  for (const auto& range : structure.at("ranges").elements()) {
    const auto first = range.at("first_byte").number(0, size);
    range.at("bytes").number(0, size - first);
    range.at("checksum").text();
  }
}

void require_shard(const core::JsonField& shard) {
  require_structure(shard.at("structure"));
  for (const auto& unit : shard.at("units").elements()) {
    for (const auto& range : unit.elements()) require_range(range);
  }
}

}  // namespace knnseq::store
