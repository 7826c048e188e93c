#include "index/device_nearest.hpp"

#include <algorithm>
#include <limits>

#include "core/error.hpp"
#include "index/device_distances.hpp"
#include "index/score_tiles.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t most_rows = 1 << 12;
constexpr std::int64_t bounds_together = 1 << 25;
constexpr std::int64_t gathered_floats = 1 << 23;  // of centroids, measured at a time
constexpr int number_bits = 32;
constexpr std::int64_t number_mask = (std::int64_t{1} << number_bits) - 1;
/// Behind every distance there is.
constexpr std::int64_t nothing_yet = std::numeric_limits<std::int64_t>::max() - number_mask;

/// Bits of fp32 as integers in the order of the numbers, and back.
at::Tensor ordered(const at::Tensor& bits) {
  constexpr std::int64_t all_but_sign = 0x7fffffff;
  return at::where(bits < 0, at::bitwise_xor(bits, all_but_sign), bits);
}

/// int64 in the order of (distance, number). Numbers are below 2³².
at::Tensor packed(const at::Tensor& distances, const at::Tensor& numbers) {
  const at::Tensor bits = (distances + 0.0).view(at::kInt);  // no −0, which equals 0
  return ordered(bits).to(at::kLong) * (number_mask + 1) + numbers;
}

at::Tensor distances_of(const at::Tensor& packed) {
  return ordered(at::bitwise_right_shift(packed, number_bits).to(at::kInt)).view(at::kFloat);
}

at::Tensor numbers_of(const at::Tensor& packed) { return at::bitwise_and(packed, number_mask); }

}  // namespace

DeviceNearest::DeviceNearest(const at::Tensor& centroids, Metric metric, at::ScalarType dtype)
    : centroids_(centroids), metric_(metric), bounds_(centroids, metric, dtype) {}

at::Tensor DeviceNearest::nearest(const at::Tensor& x, std::int64_t* measured) const {
  KNNSEQ_ASSERT(x.dim() == 2 && x.scalar_type() == at::kFloat && x.size(1) == centroids_.size(1),
                "vectors are fp32 [n, d]");
  KNNSEQ_ASSERT(x.device() == centroids_.device(), "vectors and centroids on two devices");
  const std::int64_t together =
      std::clamp<std::int64_t>(bounds_together / bounds_.groups(), 1, most_rows);
  at::Tensor result = at::empty({x.size(0)}, x.options().dtype(at::kInt));
  for_each_row_tile(x, together, [&](std::int64_t first, const at::Tensor& rows) {
    const std::int64_t n = rows.size(0);
    at::Tensor bounds = bounds_.lowest(rows);
    const at::Tensor likeliest = at::argmin(bounds, 1, /*keepdim=*/true);
    at::Tensor best = at::full({n}, nothing_yet, likeliest.options());
    measure(rows, at::arange(n, best.options()), likeliest.squeeze(1), best);

    bounds.scatter_(1, likeliest, std::numeric_limits<float>::infinity());
    const at::Tensor limits = bounds_.limits(rows, distances_of(best)).unsqueeze(1);
    // Not above, rather than below: what is no number rules nothing out.
    const at::Tensor left = at::nonzero(at::gt(bounds, limits).logical_not_());
    measure(rows, left.select(1, 0), left.select(1, 1), best);
    result.narrow(0, first, n).copy_(numbers_of(best));
    if (measured != nullptr) *measured += (n + left.size(0)) * ScoreBounds::group;
  });
  return result;
}

void DeviceNearest::measure(const at::Tensor& x, const at::Tensor& rows, const at::Tensor& groups,
                            at::Tensor& best) const {
  const std::int64_t last = centroids_.size(0) - 1;
  const at::Tensor members = at::arange(ScoreBounds::group, groups.options());
  const std::int64_t together =
      std::max<std::int64_t>(gathered_floats / (ScoreBounds::group * x.size(1)), 1);
  for_each_row_tile(rows, together, [&](std::int64_t first, const at::Tensor& some) {
    const at::Tensor group = groups.narrow(0, first, some.size(0)).unsqueeze(1);
    const at::Tensor lists = (group * ScoreBounds::group + members).clamp_max_(last);
    const at::Tensor distances =
        device_distances(at::index_select(x, 0, some), centroids_, lists, metric_);
    best.scatter_reduce_(0, some, at::amin(packed(distances, lists), 1), "amin");
  });
}

}  // namespace knnseq::index
