// Everything that is trained, and its file.
#pragma once

#include <filesystem>
#include <memory>

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace faiss {
struct IndexHNSWFlat;
}

namespace knnseq::index {

/// A trained index without entries. All tensors fp32, contiguous; on the CPU, except for the copies
/// that VectorQuantizer makes (copy_to()).
struct Codebook {
  IndexSpec spec;
  at::Tensor rotation;          ///< [d_out, d_in]; undefined without a transform
  at::Tensor bias;              ///< [d_out], added after the rotation; only of a centred PCA (l2)
  at::Tensor coarse_centroids;  ///< [nlist, d_out]; undefined without lists
  /// [m, centroids, dsub], of residuals if there are lists; undefined without a quantiser
  at::Tensor pq_centroids;
  /// faiss's graph over the coarse centroids, if spec.coarse_edges says so: see
  /// build_coarse_graph(). It follows from the centroids.
  std::shared_ptr<faiss::IndexHNSWFlat> coarse_graph = nullptr;

  /// Throws core::InputError (`where` names the file) if a tensor is missing, has another shape
  /// or dtype than the spec says, or is not finite.
  void check(const std::string& where) const;
};

/// The codebook with its tensors on `device`; the graph stays where it is.
Codebook copy_to(const Codebook& codebook, at::Device device);

/// XXH3-64 over the tensors: equal codebooks have equal checksums, also when one was read back (a
/// faiss file does not say how many sub-vectors OPQ worked on).
std::uint64_t checksum(const Codebook& codebook);

/// Makes `coarse_graph` if spec.coarse_edges asks for it, on one thread, so that it is the same
/// each time. Needs nlist · edges · 8 bytes beside the centroids.
void build_coarse_graph(Codebook& codebook);

/// Writes an ordinary faiss file: an empty index of spec.factory(), trained; durably and with the
/// same bytes each time. cos is inner product after faiss's L2norm. Throws core::SystemError.
void write_codebook(const std::filesystem::path& path, const Codebook& codebook);

/// Reads such a file, ours or one that faiss trained (entries in it are ignored).
/// Throws core::InputError naming the file if it is missing, truncated, not faiss's or of a type
/// that is not supported.
Codebook read_codebook(const std::filesystem::path& path);

}  // namespace knnseq::index
