// Bounds on how near centroids can be, by matrix products of rounded vectors, on any device.
#pragma once

#include <ATen/ATen.h>

#include "index/core/index_spec.hpp"

namespace knnseq::index {

/// A score orders the centroids c of a row q as their distances do: with the centroids' mean μ
/// taken from both, q' = q − μ and c' = c − μ, it is o(c) − 2⟨q', c'⟩, where o(c) = ‖c'‖² for l2
/// and −2⟨μ, c'⟩ for inner products. Products are made of rounded vectors q̂ and ĉ, for which tensor
/// cores have bf16. They are wrong by
///   2|⟨q', c'⟩ − ⟨q̂, ĉ⟩| ≤ 2‖q' − q̂‖‖c'‖ + 2‖q̂‖‖c' − ĉ‖
/// and by what summing n terms in fp32 may cost, n · 2⁻²² of their magnitudes (four times as much
/// as with every sum rounded to nearest, since tensor cores cut off). All of that is itself a
/// product of some numbers of the row with some of the centroid, so a few more columns subtract it:
/// the product then is a lower bound. The rounding errors are those of the actual vectors, not of
/// the worst case, which is more than twice as tight.
class ScoreBounds {
 public:
  /// Centroids that are bounded together, consecutive ones. With fewer there are more bounds to
  /// look through, with more of them more distances to measure.
  static constexpr std::int64_t group = 8;

  /// Terms of a product for vectors [d]: what a centroid takes of the dtype.
  static std::int64_t terms(std::int64_t d);

  /// centroids: fp32 [k, d], finite. dtype: what they are rounded to, bf16 or fp32.
  ScoreBounds(const at::Tensor& centroids, Metric metric, at::ScalarType dtype);

  /// For each row of x [n, d] fp32 and each group, a lower bound on the scores of its centroids:
  /// fp32 [n, groups()]. Made a tile of 32 MiB at a time, which large devices keep in their cache.
  /// NaN for rows that hold any.
  at::Tensor lowest(const at::Tensor& x) const;

  /// For each row the largest bound that a centroid at this distance (as torch_distances() computes
  /// it) or nearer can have: fp32 [n]. Groups with larger bounds hold none.
  at::Tensor limits(const at::Tensor& x, const at::Tensor& distances) const;

  /// At least k / group: the last groups are filled up with the last centroid.
  std::int64_t groups() const { return columns_.size(0) / group; }

 private:
  at::Tensor factors(const at::Tensor& x) const;
  at::Tensor columns(const at::Tensor& centroids) const;

  Metric metric_;
  at::ScalarType dtype_;
  std::int64_t chunk_;  ///< centroids whose columns are interleaved, so that groups lie apart
  at::Tensor mean_;     ///< fp64 [d]
  at::Tensor columns_;  ///< dtype [chunks · chunk_, terms of a product]
};

}  // namespace knnseq::index
