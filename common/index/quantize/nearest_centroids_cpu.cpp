#include <algorithm>
#include <limits>
#include <numeric>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/core/parallel.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

// What a thread works on at a time: so many panels of rows, and as many centroids as stay in the
// second-level cache while the panels pass by.
constexpr std::int64_t panels_together = 8;
constexpr std::int64_t tile_floats = 1 << 16;

/// A part of a job: at most panels_together panels.
struct Task {
  std::span<const std::int32_t> rows;
  std::span<const std::int32_t> list;
};

std::vector<Task> cut(std::span<const NearestJob> jobs) {
  const auto rows_together =
      static_cast<std::size_t>(simd_kernels().nearest.panel_rows * panels_together);
  std::vector<Task> tasks;
  for (const NearestJob& job : jobs) {
    for (std::size_t first = 0; first < job.rows.size(); first += rows_together) {
      tasks.push_back(
          {job.rows.subspan(first, std::min(rows_together, job.rows.size() - first)), job.list});
    }
  }
  return tasks;
}

/// One thread's memory.
struct Work {
  explicit Work(std::int64_t d)
      : columns(panels_together * simd_kernels().nearest.panel_rows * d),
        best(panels_together * simd_kernels().nearest.panel_rows),
        nearest(best.size()) {}
  std::vector<float> columns;  ///< [panels, d, panel rows]
  std::vector<float> best;
  std::vector<std::int32_t> nearest;
};

void run(const Task& task, const RowPointers& rows, const ScoredCentroids& centroids, Work& work) {
  const std::int64_t width = simd_kernels().nearest.panel_rows;
  const std::int64_t d = centroids.d;
  const std::int64_t panels = core::ceil_div(std::ssize(task.rows), width);
  for (std::int64_t p = 0; p < panels; ++p) {
    const auto first = static_cast<std::size_t>(p * width);
    const std::size_t count = std::min(static_cast<std::size_t>(width), task.rows.size() - first);
    transpose_rows(rows, task.rows.subspan(first, count), {width, d},
                   work.columns.data() + p * width * d);
  }
  std::fill(work.best.begin(), work.best.end(), std::numeric_limits<float>::infinity());
  std::fill(work.nearest.begin(), work.nearest.end(), task.list.front());
  const std::int64_t tile = std::max<std::int64_t>(tile_floats / d, 16);
  for (std::int64_t first = 0; first < std::ssize(task.list); first += tile) {
    for (std::int64_t p = 0; p < panels; ++p) {
      NearestPanel panel;
      panel.columns = work.columns.data() + p * width * d;
      panel.d = d;
      panel.centroids = centroids.centroids;
      panel.norms = centroids.norms;
      panel.list = task.list.data() + first;
      panel.count = std::min(tile, std::ssize(task.list) - first);
      panel.best = work.best.data() + p * width;
      panel.nearest = work.nearest.data() + p * width;
      simd_kernels().nearest.scan(panel);
    }
  }
}

}  // namespace

void transpose_rows(const RowPointers& rows, std::span<const std::int32_t> numbers,
                    const PanelShape& panel, float* columns) {
  constexpr std::int64_t together = 32;  // columns: what is written stays in the first-level cache
  const auto filled = std::ssize(numbers);
  for (std::int64_t first = 0; first < panel.d; first += together) {
    const std::int64_t end = std::min(first + together, panel.d);
    for (std::int64_t i = 0; i < filled; ++i) {
      const float* row = rows[numbers[i]];
      for (std::int64_t j = first; j < end; ++j) columns[j * panel.rows + i] = row[j];
    }
    for (std::int64_t j = first; j < end; ++j) {
      std::fill(columns + j * panel.rows + filled, columns + (j + 1) * panel.rows, 0.0F);
    }
  }
}

void append_rows(const at::Tensor& x, RowPointers& rows) {
  KNNSEQ_ASSERT(x.dim() == 2 && x.scalar_type() == at::kFloat && x.is_contiguous(),
                "vectors are fp32 [n, d]");
  const float* data = x.const_data_ptr<float>();
  for (std::int64_t i = 0; i < x.size(0); ++i) rows.push_back(data + i * x.size(1));
}

void find_nearest(const RowPointers& rows, const ScoredCentroids& centroids,
                  std::span<const NearestJob> jobs, std::int32_t* nearest) {
  const auto tasks = cut(jobs);
  parallel_ranges(std::ssize(tasks), [&](core::Range range) {
    Work work(centroids.d);
    for (std::int64_t t = range.begin; t < range.end; ++t) {
      const Task& task = tasks[t];
      run(task, rows, centroids, work);
      for (std::size_t i = 0; i < task.rows.size(); ++i) nearest[task.rows[i]] = work.nearest[i];
    }
  });
}

CentroidScan::CentroidScan(const at::Tensor& centroids, Metric metric, gpu::ComputePath path)
    : centroids_(centroids.contiguous()),
      norms_(is_inner_product(metric) ? at::zeros({centroids.size(0)}, centroids.options())
                                      : at::sum(centroids_ * centroids_, {1})),
      path_(path),
      all_(centroids.size(0)) {
  KNNSEQ_ASSERT(centroids.dim() == 2 && centroids.scalar_type() == at::kFloat,
                "centroids are fp32 [k, d]");
  if (path == gpu::ComputePath::torch) by_bounds_.emplace(centroids_, metric);
  std::iota(all_.begin(), all_.end(), 0);
}

at::Tensor CentroidScan::nearest(const at::Tensor& x) const {
  KNNSEQ_ASSERT(x.dim() == 2 && x.size(1) == centroids_.size(1), "vectors are [n, d]");
  if (by_bounds_) return by_bounds_->nearest(x);
  const at::Tensor dense = x.contiguous();
  RowPointers rows;
  append_rows(dense, rows);
  const auto found = nearest(rows);
  at::Tensor result = at::empty({x.size(0)}, at::kInt);
  std::copy(found.begin(), found.end(), result.mutable_data_ptr<std::int32_t>());
  return result;
}

std::vector<std::int32_t> CentroidScan::nearest(const RowPointers& rows) const {
  KNNSEQ_ASSERT(path_ == gpu::ComputePath::cpu, "rows given as pointers are the host's");
  std::vector<std::int32_t> numbers(rows.size());
  std::iota(numbers.begin(), numbers.end(), 0);
  std::vector<std::int32_t> result(rows.size());
  const NearestJob job{numbers, all_};
  find_nearest(rows, scored(), {&job, 1}, result.data());
  return result;
}

ScoredCentroids CentroidScan::scored() const {
  KNNSEQ_ASSERT(centroids_.is_cpu(), "centroids behind pointers are the host's");
  return {centroids_.const_data_ptr<float>(), norms_.const_data_ptr<float>(), centroids_.size(1)};
}

}  // namespace knnseq::index
