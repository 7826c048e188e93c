// HNSW graphs that were read from files; for the .cpp files of this module.
#pragma once

#include <cstdint>
#include <filesystem>

namespace faiss {
struct IndexHNSW;
}

namespace knnseq::index {

/// Edges of the graph (the k of HNSWk). Throws core::InputError naming the file if walking the
/// graph would leave its arrays, which faiss does not check: entry point, levels, offsets and links
/// must be those of a graph that faiss has built.
std::int64_t verify_graph(const std::filesystem::path& path, const faiss::IndexHNSW& graph);

}  // namespace knnseq::index
