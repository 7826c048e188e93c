// What a codebook does to vectors: rotation, list, code, probes.
#pragma once

#include <ATen/ATen.h>

#include "index/centroid_scan.hpp"
#include "index/codebook.hpp"
#include "index/pq_assign.hpp"
#include "index/probes.hpp"

namespace knnseq::index {

/// Applies the codebook's transform: keys [n, d_in] (fp16, bf16 or fp32) → [n, d_out] fp32. Without
/// a transform and with fp32 keys the result is `keys` itself.
at::Tensor rotate_vectors(const Codebook& codebook, const at::Tensor& keys);

/// Not collective. Results depend on the batch handed in only, not on the number of ranks.
class Coder {
 public:
  /// Shares the codebook's tensors.
  explicit Coder(const Codebook& codebook);

  const Codebook& codebook() const { return codebook_; }

  /// rotate_vectors().
  at::Tensor rotate(const at::Tensor& keys) const;

  /// rotated [n, d_out] fp32 → the nearest list of each row, int32 [n]; exhaustive, in fp32; ties
  /// go to the lowest list.
  at::Tensor assign_exact(const at::Tensor& rotated) const;

  /// Codes of the residuals: rotated [n, d_out] fp32, lists int32 [n] → uint8 [n, m].
  at::Tensor encode(const at::Tensor& rotated, const at::Tensor& lists) const;

  /// The min(nprobe, nlist) nearest lists of each row by (distance, list), nearest first. Distances
  /// are exact fp32 sums of squared differences.
  Probes probe(const at::Tensor& rotated, std::int64_t nprobe) const;

 private:
  Codebook codebook_;
  CentroidScan coarse_;
  PqTables pq_tables_;
};

}  // namespace knnseq::index
