// Reading faiss files; for the .cpp files of this module.
#pragma once

#include <filesystem>
#include <memory>
#include <vector>

#include "index/faiss_io/codebook.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/faiss_io/faiss_layout.hpp"

namespace knnseq::index {

/// A faiss file that was read: the index, its part that holds the entries, and its codebook.
struct FaissFile {
  std::unique_ptr<faiss::Index> index;
  faiss::Index* core = nullptr;      ///< inside transforms and id map; owned by `index`
  faiss::IndexIVF* lists = nullptr;  ///< the same if it has lists; else null
  std::vector<FaissId> ids;          ///< [n] of the id map of an index without lists
  Codebook codebook;                 ///< without the coarse graph, which stays in `index`
};

/// Reads a file; codes and ids in lists stay in it and are mapped into memory. Throws
/// core::InputError naming the file if it is missing, truncated, not faiss's or not of a
/// supported type.
FaissFile read_faiss_file(const std::filesystem::path& path);

/// The same as if it held no entries, of a file of rows: nothing else of it is read.
FaissFile read_without_rows(const std::filesystem::path& path, const FaissRows& rows);

/// Takes `core` out of its wrappers.
std::unique_ptr<faiss::Index> release_core(FaissFile& file);

}  // namespace knnseq::index
