#include "index/quantize/score_bounds.hpp"

#include <algorithm>
#include <limits>
#include <vector>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/quantize/score_tiles.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t largest_chunk = 1024;
constexpr std::int64_t product_floats = 1 << 23;
constexpr std::int64_t offset_terms = 3;  // fp32 in three parts of 8 bits
constexpr std::int64_t error_terms = 2;
constexpr std::int64_t alignment = 8;                    // terms: what tensor cores read at a time
constexpr double small = 1.0 / (std::int64_t{1} << 40);  // relative error of sums in fp64

/// Relative error of a sum of so many terms, as the class says.
double summing(std::int64_t d) { return static_cast<double>(ScoreBounds::terms(d)) / (1 << 22); }

at::Tensor norms_of(const at::Tensor& x) { return x.square().sum(1, /*keepdim=*/true).sqrt_(); }

/// Numbers ≥ 0 in a dtype of at least 8 bits, not smaller than they were.
at::Tensor rounded_up(const at::Tensor& x, at::ScalarType dtype) {
  return (x * (1 + 1.0 / (1 << 7))).to(dtype);
}

/// [n, terms]: the parts side by side, padded with zeros.
at::Tensor joined(std::vector<at::Tensor> parts, std::int64_t d) {
  const std::int64_t missing = ScoreBounds::terms(d) - d - offset_terms - error_terms;
  parts.push_back(at::zeros({parts.front().size(0), missing}, parts.front().options()));
  return at::cat(parts, 1);
}

/// fp32 [n, m] of [n, terms] and [m, terms].
at::Tensor products(const at::Tensor& factors, const at::Tensor& columns) {
  if (factors.is_cuda() && factors.scalar_type() != at::kFloat) {
    return at::mm(factors, columns.t(), at::kFloat);
  }
  // As tensor cores do: products are exact, and summed in fp32.
  return at::mm(factors.to(at::kFloat), columns.to(at::kFloat).t());
}

}  // namespace

std::int64_t ScoreBounds::terms(std::int64_t d) {
  return core::ceil_div(d + offset_terms + error_terms, alignment) * alignment;
}

ScoreBounds::ScoreBounds(const at::Tensor& centroids, Metric metric, at::ScalarType dtype)
    : metric_(metric), dtype_(dtype), mean_(at::mean(centroids, {0}).to(at::kDouble)) {
  KNNSEQ_ASSERT(dtype == at::kBFloat16 || dtype == at::kFloat, "products of bf16 or fp32");
  const std::int64_t k = centroids.size(0);
  chunk_ = std::min(largest_chunk, core::ceil_div(k, group) * group);
  // Members of a group are chunk_ / group columns apart: a minimum over them reads whole lines.
  const std::int64_t chunks = core::ceil_div(k, chunk_);
  const at::Tensor order = at::arange(chunks * chunk_, centroids.options().dtype(at::kLong))
                               .clamp_max_(k - 1)
                               .view({chunks, chunk_ / group, group})
                               .transpose(1, 2)
                               .flatten();
  columns_ =
      at::empty({chunks * chunk_, terms(centroids.size(1))}, centroids.options().dtype(dtype));
  constexpr std::int64_t together = 1 << 11;
  for_each_row_tile(order, together, [&](std::int64_t first, const at::Tensor& numbers) {
    columns_.narrow(0, first, numbers.size(0))
        .copy_(columns(at::index_select(centroids, 0, numbers)));
  });
}

at::Tensor ScoreBounds::columns(const at::Tensor& centroids) const {
  const std::int64_t d = centroids.size(1);
  const at::Tensor exact = centroids.to(at::kDouble) - mean_;
  const at::Tensor rounded = exact.to(dtype_);
  const at::Tensor size = norms_of(exact);
  const at::Tensor error = norms_of(rounded.to(at::kDouble) - exact);
  const at::Tensor parts = is_inner_product(metric_) ? -2 * (exact * mean_) : at::square(exact);
  const at::Tensor offset = parts.sum(1, /*keepdim=*/true);
  // The error terms are summed, too; they are at most a fiftieth of the products. What three parts
  // leave of an offset is less than 2⁻²³ of it.
  const at::Tensor lower = offset - offset.abs() * (1.1 * summing(d) + 1.0 / (1 << 22)) -
                           parts.abs().sum(1, /*keepdim=*/true) * small;
  const at::Tensor first = lower.to(dtype_);
  const at::Tensor second = (lower - first).to(dtype_);
  const at::Tensor third = (lower - first - second).to(dtype_);
  const at::Tensor summed = 2.1 * summing(d) * norms_of(rounded.to(at::kDouble));
  return joined({-2 * rounded, first, second, third, -rounded_up(2 * size, dtype_),
                 -rounded_up(2 * error + summed, dtype_)},
                d);
}

at::Tensor ScoreBounds::factors(const at::Tensor& x) const {
  const at::Tensor exact = x.to(at::kDouble) - mean_;
  const at::Tensor rounded = exact.to(dtype_);
  const at::Tensor restored = rounded.to(at::kDouble);
  return joined(
      {rounded, at::ones({x.size(0), offset_terms}, rounded.options()),
       rounded_up(norms_of(restored - exact), dtype_), rounded_up(norms_of(restored), dtype_)},
      x.size(1));
}

at::Tensor ScoreBounds::lowest(const at::Tensor& x) const {
  const at::Tensor rows = factors(x);
  const std::int64_t n = x.size(0);
  const std::int64_t chunks = columns_.size(0) / chunk_;
  const std::int64_t together = std::max<std::int64_t>(product_floats / (n * chunk_), 1);
  at::Tensor result = at::empty({n, chunks, chunk_ / group}, x.options());
  for (std::int64_t first = 0; first < chunks; first += together) {
    const std::int64_t count = std::min(together, chunks - first);
    const at::Tensor tile = products(rows, columns_.narrow(0, first * chunk_, count * chunk_));
    at::Tensor part = result.narrow(1, first, count);
    at::amin_out(part, tile.view({n, count, group, chunk_ / group}), {2});
  }
  return result.view({n, groups()});
}

at::Tensor ScoreBounds::limits(const at::Tensor& x, const at::Tensor& distances) const {
  constexpr double rounding = 1.0 / (1 << 22);  // of two distances in fp32
  const at::Tensor exact = distances.to(at::kDouble);
  const at::Tensor farthest = exact + exact.abs() * rounding;
  const at::Tensor vectors = x.to(at::kDouble);
  // The difference between a row's distances and its scores, halved for inner products.
  const at::Tensor terms =
      is_inner_product(metric_) ? -(vectors * mean_) : at::square(vectors - mean_);
  const at::Tensor limit = farthest - terms.sum(1) + terms.abs().sum(1) * small;
  const at::Tensor scores = (is_inner_product(metric_) ? 2 * limit : limit).to(at::kFloat);
  return at::nextafter(scores, at::full_like(scores, std::numeric_limits<float>::infinity()));
}

}  // namespace knnseq::index
