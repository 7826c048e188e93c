#include "index/sample/fixed_point_sum.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include <ATen/ATen.h>

#include "core/error.hpp"

namespace knnseq::index {

FixedPoint::FixedPoint(double largest, std::int64_t terms) {
  KNNSEQ_ASSERT(largest >= 0 && std::isfinite(largest) && terms >= 0, "fixed point out of range");
  // largest < 2^top and terms ≤ 2^bits: a sum stays below 2^62, a single number below 2^50.
  int top = 0;
  std::frexp(std::max(largest, 0x1p-900), &top);
  const int bits = std::bit_width(static_cast<std::uint64_t>(std::max<std::int64_t>(terms, 1)));
  scale_ = std::ldexp(1.0, std::min(62 - bits, 50) - top);
}

at::Tensor FixedPoint::round(const at::Tensor& values) const {
  return values.to(at::kDouble).mul_(scale_).round_().to(at::kLong);
}

at::Tensor FixedPoint::value(const at::Tensor& sums) const {
  return sums.to(at::kDouble).div_(scale_);
}

double agree_on_largest(comm::Communicator& comm, double local_largest) {
  const double largest = comm.all_reduce(
      std::isnan(local_largest) ? std::numeric_limits<double>::infinity() : local_largest,
      comm::Reduction::max);
  if (!std::isfinite(largest)) {
    throw core::InputError("the training sample holds numbers that are not finite");
  }
  return largest;
}

FixedPoint agree_on_fixed_point(comm::Communicator& comm, double local_largest,
                                std::int64_t terms) {
  return FixedPoint(agree_on_largest(comm, local_largest), terms);
}

double largest_magnitude(std::span<const float> values) {
  // The bits of a non-negative float are ordered like the float; infinities and NaNs come last.
  std::uint32_t largest = 0;
  for (const float value : values) {
    largest = std::max(largest, std::bit_cast<std::uint32_t>(value) & 0x7fffffffU);
  }
  const float magnitude = std::bit_cast<float>(largest);
  return std::isfinite(magnitude) ? magnitude : std::numeric_limits<double>::infinity();
}

FixedPointSum::FixedPointSum(FixedPoint fixed_point, std::int64_t size)
    : fixed_point_(fixed_point), sums_(size, 0) {}

void FixedPointSum::add(std::span<const float> values) {
  KNNSEQ_ASSERT(values.size() == sums_.size(), "sizes differ");
  for (std::size_t i = 0; i < values.size(); ++i) {
    sums_[i] += fixed_point_.round(static_cast<double>(values[i]));
  }
}

void FixedPointSum::add(std::span<const double> values) {
  KNNSEQ_ASSERT(values.size() == sums_.size(), "sizes differ");
  for (std::size_t i = 0; i < values.size(); ++i) sums_[i] += fixed_point_.round(values[i]);
}

void FixedPointSum::add_at(std::int64_t position, double value) {
  sums_[position] += fixed_point_.round(value);
}

std::vector<double> FixedPointSum::total(comm::Communicator& comm) {
  comm.all_reduce(std::span(sums_), comm::Reduction::sum);
  std::vector<double> result(sums_.size());
  std::transform(sums_.begin(), sums_.end(), result.begin(),
                 [&](std::int64_t sum) { return fixed_point_.value(sum); });
  return result;
}

}  // namespace knnseq::index
