// Equal vectors in a graph.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// How many entries have a vector that occurs more often among `codes` (of a graph's entries, as
/// VectorQuantizer makes them) than a node has links: 2 · edges. faiss links a node with its
/// nearest, so these are linked only with their equals and form islands: a search that reaches one
/// does not leave it, and others miss it. 0 for other types. Memory: 8
/// bytes an entry.
std::int64_t count_crowded(const IndexSpec& spec, std::span<const std::uint8_t> codes);

/// The warning about them; empty if there are none. entries: of all graphs that were counted.
std::string warning_of_crowd(const IndexSpec& spec, std::int64_t crowded, std::int64_t entries);

}  // namespace knnseq::index
