// What must hold of a shard's file, whichever way it is read; for the .cpp files of this module.
#pragma once

#include <cstddef>
#include <filesystem>

#include "index/core/id_bounds.hpp"
#include "index/faiss_io/codebook.hpp"

namespace knnseq::index {

/// Throws core::InputError naming the file if it was made with another codebook than the wanted.
void require_same_codebook(const std::filesystem::path& path, const Codebook& wanted,
                           const Codebook& found);

/// Of entries of one list, or of an index without lists. Mapped ones need not be aligned. Throws
/// core::InputError naming the file. Refers to its arguments.
class EntryCheck {
 public:
  EntryCheck(const std::filesystem::path& path, const IndexSpec& spec, const IdBounds& bounds)
      : path_(path), has_vectors_(!spec.has_quantizer()), bounds_(bounds) {}

  void ids(const void* packed, std::size_t count) const;

  /// bytes: of the entries' codes, which are fp32 vectors if the index has no quantiser.
  void codes(const void* codes, std::size_t bytes) const;

 private:
  const std::filesystem::path& path_;
  bool has_vectors_;
  const IdBounds& bounds_;
};

}  // namespace knnseq::index
