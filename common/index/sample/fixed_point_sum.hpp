// Exact sums over blocks and ranks.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/core/Tensor.h>

#include "comm/communicator.hpp"
#include "index/simd/fixed_point_magic.hpp"

namespace knnseq::index {

/// Rounds real numbers to 64-bit integers at a power-of-two scale. Integer sums are exact, so they
/// do not depend on the order of the terms nor on how terms are spread over ranks and threads.
class FixedPoint {
 public:
  /// Room for sums of `terms` numbers, none of magnitude above `largest` (≥ 0, finite). One number
  /// keeps at least 38 bits below `largest` while terms ≤ 2^23.
  FixedPoint(double largest, std::int64_t terms);

  std::int64_t round(double value) const { return round_to_fixed_point(value, scale_); }
  double value(std::int64_t sum) const { return static_cast<double>(sum) / scale_; }
  /// The same for all values, int64, and of all sums, fp64, by tensors of any device: the same
  /// integers everywhere, since both ways round halves to even.
  at::Tensor round(const at::Tensor& values) const;
  at::Tensor value(const at::Tensor& sums) const;
  double scale() const { return scale_; }

 private:
  double scale_;
};

/// The greatest of the ranks' largest magnitudes. Collective.
/// Throws core::InputError on all ranks if one is not finite.
double agree_on_largest(comm::Communicator& comm, double local_largest);

/// The FixedPoint for what all ranks together will add: `local_largest` is this rank's largest
/// magnitude, `terms` the same on all ranks. Collective.
/// Throws core::InputError on all ranks if a rank's magnitude is not finite.
FixedPoint agree_on_fixed_point(comm::Communicator& comm, double local_largest, std::int64_t terms);

/// Largest magnitude among the values; infinity if one is not finite.
double largest_magnitude(std::span<const float> values);

/// A vector of exact sums.
class FixedPointSum {
 public:
  FixedPointSum(FixedPoint fixed_point, std::int64_t size);

  void add(std::span<const float> values);   ///< element by element
  void add(std::span<const double> values);  ///< element by element
  void add_at(std::int64_t position, double value);
  std::span<std::int64_t> raw() { return sums_; }
  const FixedPoint& fixed_point() const { return fixed_point_; }

  /// Sums over all ranks. Collective; call once.
  std::vector<double> total(comm::Communicator& comm);

 private:
  FixedPoint fixed_point_;
  std::vector<std::int64_t> sums_;
};

}  // namespace knnseq::index
