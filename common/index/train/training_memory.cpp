#include "index/train/training_memory.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/quantize/score_bounds.hpp"
#include "index/sample/sample_blocks.hpp"
#include "index/train/step_rows.hpp"
#include "obs/progress_meter.hpp"

namespace knnseq::index {

namespace {

constexpr std::int64_t block_rows = SampleBlocks{}.block_rows;
constexpr std::int64_t products_bytes = std::int64_t{256} << 20;   // BoundedNearest
constexpr std::int64_t libraries_bytes = std::int64_t{256} << 20;  // workspaces, fragments
constexpr std::int64_t bf16 = 2;
constexpr std::int64_t fp32 = 4;
constexpr std::int64_t fp64 = 8;

/// Rows of a sample of `rows` that the rank with most of them has.
std::int64_t share(std::int64_t rows, std::int64_t ranks) {
  return std::min(rows, core::ceil_div(core::ceil_div(rows, block_rows), ranks) * block_rows);
}

/// Fixed-point sums of a product [width, width] while a block's product is added to them.
std::int64_t cross_product_bytes(std::int64_t width) { return width * width * (fp32 + 3 * fp64); }

/// The chosen rows as OPQ or PCA holds them, and their sums.
std::int64_t transform_bytes(const IndexSpec& spec, const StepRows& rows, std::int64_t ranks,
                             std::int64_t value_bytes) {
  const std::int64_t own = share(rows.transform, ranks);
  const std::int64_t value = spec.metric == Metric::cos ? fp32 : value_bytes;
  std::int64_t bytes = own * spec.d_in * value + cross_product_bytes(spec.d_in);
  if (spec.transform == Transform::opq) bytes += own * (spec.d_out * fp32 + spec.opq_m);
  return bytes;
}

/// The sample as coarse k-means and the quantiser use it, and their centroids with sums and means.
std::int64_t clustering_bytes(const IndexSpec& spec, const StepRows& rows, std::int64_t ranks) {
  constexpr std::int64_t centroids_together = 1 << 16;  // whose fp64 copies ClusterSums makes
  const std::int64_t clusters = std::max(spec.nlist, spec.centroids());
  std::int64_t held = share(rows.rotated(), ranks);
  if (spec.has_lists() && rows.coarse < rows.rotated()) held += share(rows.coarse, ranks);
  const std::int64_t bounds = spec.nlist * ScoreBounds::terms(spec.d_out) * bf16;
  return held * spec.d_out * fp32 + clusters * spec.d_out * (3 * fp32 + fp64) + bounds +
         std::min(clusters, centroids_together) * spec.d_out * 4 * fp64;
}

/// The first value of (below, above] for which `holds`, which is monotone; above + 1 if none is.
template <class Holds>
std::int64_t first_that_holds(std::int64_t below, std::int64_t above, const Holds& holds) {
  std::int64_t no = below;
  std::int64_t yes = above + 1;
  while (yes - no > 1) {
    const std::int64_t middle = no + (yes - no) / 2;
    (holds(middle) ? yes : no) = middle;
  }
  return yes;
}

}  // namespace

std::int64_t training_device_bytes(const IndexSpec& spec, const TrainOptions& options,
                                   std::int64_t rows, int ranks, std::int64_t value_bytes) {
  const StepRows of = step_rows(spec, options, rows);
  const std::int64_t block = block_rows * (spec.d_in + spec.d_out) * (fp32 + 2 * fp64);
  const std::int64_t transform =
      spec.transform == Transform::none ? 0 : transform_bytes(spec, of, ranks, value_bytes);
  return std::max(transform, clustering_bytes(spec, of, ranks)) + block + products_bytes +
         libraries_bytes;
}

void require_fits(const IndexSpec& spec, const TrainOptions& options, const DeviceBudget& room) {
  const auto fits = [&](std::int64_t rows, std::int64_t ranks) {
    return training_device_bytes(spec, options, rows, static_cast<int>(ranks), room.value_bytes) <=
           room.free_bytes;
  };
  if (fits(room.rows, room.ranks)) return;
  std::string offers;
  const std::int64_t least = spec.least_sample();
  const std::int64_t rows =
      first_that_holds(least - 1, room.rows,
                       [&](std::int64_t more) { return !fits(more, room.ranks); }) -
      1;
  if (rows >= least) offers += fmt::format("{} of at most {}, ", room.sample_key, rows);
  const std::int64_t most = core::ceil_div(room.rows, block_rows);
  const std::int64_t ranks =
      first_that_holds(room.ranks, most, [&](std::int64_t more) { return fits(room.rows, more); });
  if (ranks <= most) offers += fmt::format("{} ranks with a GPU each, ", ranks);
  throw core::InputError(fmt::format(
      "training {} on {} vectors takes up to {} of GPU memory on each of {} ranks, and {} are "
      "free; what fits: {}device: cpu",
      spec.factory(), room.rows,
      obs::as_bytes(training_device_bytes(spec, options, room.rows, room.ranks, room.value_bytes)),
      room.ranks, obs::as_bytes(room.free_bytes), offers));
}

}  // namespace knnseq::index
