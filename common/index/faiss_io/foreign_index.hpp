// A faiss index that another program has made of the keys of a datastore.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "core/types.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/faiss_io/coded_entries.hpp"

namespace knnseq::index {

/// One file: its entries are rows of the datastore from `first` on, in the order in which they were
/// added.
struct ForeignIndexFile {
  std::filesystem::path path;
  core::Range rows;
};

/// Entries stay in the files, which are mapped into memory.
class ForeignIndex {
 public:
  /// Reads one file or several of the same codebook. `metric`: cos where the program normalises
  /// keys itself, so that the file says inner product; else that of the file. Throws
  /// core::InputError naming the file if it is not faiss's, of a type that is not supported or a
  /// graph over its entries, of another metric, or of another codebook than the first.
  ForeignIndex(const std::vector<ForeignIndexFile>& files, Metric metric);
  ~ForeignIndex();
  ForeignIndex(ForeignIndex&&) noexcept;

  /// With the coarse graph that the file has, if any.
  const Codebook& codebook() const { return codebook_; }

  /// Throws core::InputError naming the file unless each file has each of its rows once. Memory: a
  /// bit a row.
  void require_complete() const;

  /// The entries of rows [begin, end), by list, with their rows as ids. Memory: their codes.
  CodedEntries entries_in(core::Range rows) const;
  /// Those of some rows, which ascend; in any order.
  CodedEntries entries_of(std::span<const std::int64_t> rows) const;

 private:
  struct Part;
  std::vector<Part> parts_;
  Codebook codebook_;
};

}  // namespace knnseq::index
