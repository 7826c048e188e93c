// How the entries of a faiss file are spread over its lists.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace knnseq::index {

/// Entries of each list; empty for an index without lists. Codes and ids stay in the file. Throws
/// core::InputError as read_faiss_file() does.
std::vector<std::int64_t> list_sizes(const std::filesystem::path& path);

}  // namespace knnseq::index
