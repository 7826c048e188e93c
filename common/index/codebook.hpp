// Everything that is trained, and its file.
#pragma once

#include <filesystem>

#include <ATen/ATen.h>

#include "index/index_spec.hpp"

namespace knnseq::index {

/// A trained index without entries. All tensors fp32, contiguous, on the CPU.
struct Codebook {
  IndexSpec spec;
  at::Tensor rotation;          ///< [d_out, d_in]; undefined without a transform
  at::Tensor bias;              ///< [d_out], added after the rotation; undefined unless PCA
  at::Tensor coarse_centroids;  ///< [nlist, d_out]
  at::Tensor pq_centroids;      ///< [m, 256, dsub], of residuals

  /// Throws core::InputError (`where` names the file) where a tensor is missing, has another shape
  /// or dtype than the spec says, or is not finite.
  void check(const std::string& where) const;
};

/// XXH3-64 over the tensors: equal codebooks have equal checksums, also when one was read back (a
/// faiss file does not say how many sub-vectors OPQ worked on).
std::uint64_t checksum(const Codebook& codebook);

/// Writes an ordinary faiss file, an empty IndexIVFPQ over IndexFlatL2 (in an IndexPreTransform
/// where there is a transform), durably and with the same bytes each time. Throws
/// core::SystemError.
void write_codebook(const std::filesystem::path& path, const Codebook& codebook);

/// Reads such a file, ours or one that faiss trained (entries in it are ignored).
/// Throws core::InputError naming the file where it is missing, truncated, not faiss's or of a type
/// that is not supported.
Codebook read_codebook(const std::filesystem::path& path);

}  // namespace knnseq::index
