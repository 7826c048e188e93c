// Codebooks as faiss objects and files; for the .cpp files of this module.
#pragma once

#include <filesystem>
#include <memory>

#include "index/codebook.hpp"

namespace faiss {
struct Index;
struct IndexIVFPQ;
}  // namespace faiss

namespace knnseq::index {

/// The codebook without its transform, as an index without entries.
std::unique_ptr<faiss::IndexIVFPQ> make_faiss_ivfpq(const Codebook& codebook);

/// Puts the codebook's transform, if it has one, before the index.
std::unique_ptr<faiss::Index> with_transform(const Codebook& codebook,
                                             std::unique_ptr<faiss::IndexIVFPQ> index);

/// A faiss file that was read: the index, the IVFPQ in it, and its codebook.
struct FaissFile {
  std::unique_ptr<faiss::Index> index;
  faiss::IndexIVFPQ* ivfpq = nullptr;  ///< owned by `index`
  Codebook codebook;
};

/// Reads a file; codes and ids of entries stay in it and are mapped into memory. Throws
/// core::InputError naming the file where it is missing, truncated, not faiss's or not of a
/// supported type.
FaissFile read_faiss_file(const std::filesystem::path& path);

}  // namespace knnseq::index
