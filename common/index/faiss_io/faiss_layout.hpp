// Checks what a faiss file is made of, before faiss reads it.
#pragma once

#include <filesystem>

namespace knnseq::index {

/// Walks a file of a supported type from its first byte to its last and compares every size that it
/// states with what is there. faiss trusts these sizes: it allocates and divides by them, and opens
/// other files that an index names. Memory: eight bytes a list. Throws core::InputError naming the
/// file and what does not fit.
void verify_faiss_layout(const std::filesystem::path& path);

}  // namespace knnseq::index
