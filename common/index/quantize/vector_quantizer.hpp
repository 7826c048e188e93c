// What a codebook does to vectors: rotation, list, code, probes.
#pragma once

#include <optional>

#include <ATen/ATen.h>

#include "core/enum_names.hpp"
#include "index/core/probes.hpp"
#include "index/faiss_io/codebook.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/quantize/pq_codes.hpp"

namespace knnseq::index {

/// How the lists that a query visits are found.
enum class Probing {
  exact,  ///< by comparing it with all centroids
  hnsw    ///< by faiss's graph over the centroids: faster with many lists, may miss some
};

constexpr auto names_of(Probing) {
  return core::enum_names<Probing>({{Probing::exact, "exact"}, {Probing::hnsw, "hnsw"}});
}

/// Normalises for cos, then applies the codebook's transform (and then L2norm): keys [n, d_in]
/// (fp16, bf16 or fp32) → [n, d_out] fp32, on the device of both. With nothing to do and fp32 keys
/// the result is `keys` itself. A vector of zeros stays one.
at::Tensor rotate_vectors(const Codebook& codebook, const at::Tensor& keys);

/// Not collective. Results depend on the batch handed in only, not on the number of ranks. Tensors
/// that go in or come out lie on the quantizer's device.
class VectorQuantizer {
 public:
  /// Shares the codebook's tensors, which are the host's.
  explicit VectorQuantizer(const Codebook& codebook) : VectorQuantizer(codebook, at::kCPU) {}
  /// Copies them to another device. A `path` other than the device's own is for tests.
  VectorQuantizer(const Codebook& codebook, at::Device device)
      : VectorQuantizer(codebook, device, gpu::compute_path_on(device)) {}
  VectorQuantizer(const Codebook& codebook, at::Device device, gpu::ComputePath path);

  /// On the host.
  const Codebook& codebook() const { return codebook_; }
  at::Device device() const { return device_; }

  /// rotate_vectors().
  at::Tensor rotate(const at::Tensor& keys) const;

  /// rotated [n, d_out] fp32 → the nearest list of each row, int32 [n]; exhaustive, as CentroidScan
  /// compares; ties go to the lowest list. Only with lists.
  at::Tensor assign_exact(const at::Tensor& rotated) const;

  /// The stored form of rotated [n, d_out] fp32: uint8 [n, code_bytes]. With lists and a quantiser
  /// these are codes of the residuals. lists: int32 [n]; undefined without lists.
  at::Tensor encode(const at::Tensor& rotated, const at::Tensor& lists) const;

  /// The min(nprobe, nlist) nearest lists of each row by (distance, list), nearest first; none
  /// without lists. Distances are exact fp32 sums of squared differences, or of products with
  /// their sign turned; on another device than the CPU they were summed in fp64. The graph is the
  /// CPU's: queries elsewhere are copied back and forth. Throws core::InputError for Probing::hnsw
  /// without a graph.
  Probes probe(const at::Tensor& rotated, std::int64_t nprobe,
               Probing probing = Probing::exact) const;

 private:
  Codebook codebook_;
  at::Device device_;
  Codebook on_device_;                         ///< shares the tensors of codebook_ on the CPU
  std::optional<CentroidScan> coarse_;         ///< with lists
  std::optional<ProductQuantizer> quantizer_;  ///< with codes of 8 bits a sub-vector
};

}  // namespace knnseq::index
