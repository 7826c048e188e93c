// Equal vectors in a graph.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// How many entries have a vector that stands more often among `codes` (of a graph's entries, as
/// VectorQuantizer makes them) than a node has links: 2 · edges. faiss links a node with its
/// nearest, so that these are linked with their equals only and are islands: a search that comes to
/// one does not leave it, and one that does not come there misses it. 0 for other types. Memory: 8
/// bytes an entry.
std::int64_t count_crowded(const IndexSpec& spec, std::span<const std::uint8_t> codes);

/// What to tell of them; empty where there are none. entries: of all graphs that were counted.
std::string warning_of_crowd(const IndexSpec& spec, std::int64_t crowded, std::int64_t entries);

}  // namespace knnseq::index
