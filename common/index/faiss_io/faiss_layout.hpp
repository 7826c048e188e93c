// What a faiss file is made of, looked at before faiss reads it.
#pragma once

#include <filesystem>

namespace knnseq::index {

/// Walks over a file of a supported type from its first byte to its last and compares every size
/// that it states with what is there. faiss takes them as they come: it allocates what it is told,
/// divides by it, and opens other files that an index names. Memory: eight bytes a list. Throws
/// core::InputError naming the file and what of it does not fit.
void verify_faiss_layout(const std::filesystem::path& path);

}  // namespace knnseq::index
