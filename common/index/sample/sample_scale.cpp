#include "index/sample/sample_scale.hpp"

#include <algorithm>
#include <span>
#include <vector>

#include "index/core/parallel.hpp"

namespace knnseq::index {

namespace {

/// In an order that does not depend on the compiler's choices.
double sum_of_squares(std::span<const float> values) {
  constexpr std::size_t lanes = 8;
  double sums[lanes] = {};
  std::size_t i = 0;
  for (; i + lanes <= values.size(); i += lanes) {
    for (std::size_t lane = 0; lane < lanes; ++lane) {
      const auto value = static_cast<double>(values[i + lane]);
      sums[lane] += value * value;
    }
  }
  for (; i < values.size(); ++i) sums[0] += static_cast<double>(values[i]) * values[i];
  double sum = 0;
  for (const double part : sums) sum += part;
  return sum;
}

/// What is known of the kept rows of one block.
struct Part {
  double largest = 0;
  double squares = 0;
  std::int64_t rows = 0;
};

std::vector<Part> parts_by_simd(const SampleBlocks& sample, const Subsampling& subsampling) {
  std::vector<Part> parts(sample.blocks.size());
  parallel_for(std::ssize(parts), [&](std::int64_t i) {
    const auto b = static_cast<std::size_t>(i);
    const at::Tensor block = sample.blocks[b].to(at::kFloat).contiguous();
    for (std::int64_t row = 0; row < block.size(0); ++row) {
      if (!subsampling.keeps(sample.row_number(b, row))) continue;
      const std::span values(block.const_data_ptr<float>() + row * sample.dim, sample.dim);
      parts[b].largest = std::max(parts[b].largest, largest_magnitude(values));
      parts[b].squares += sum_of_squares(values);
      ++parts[b].rows;
    }
  });
  return parts;
}

std::vector<Part> parts_by_torch(const SampleBlocks& sample, const Subsampling& subsampling) {
  std::vector<Part> parts(sample.blocks.size());
  std::vector<at::Tensor> figures;  // of each block with rows: largest, squares
  for (std::size_t b = 0; b < parts.size(); ++b) {
    const at::Tensor rows = kept_rows(sample, b, subsampling);
    parts[b].rows = rows.size(0);
    if (rows.size(0) == 0) continue;
    figures.push_back(at::abs(rows).max().to(at::kDouble));
    figures.push_back(rows.to(at::kDouble).square_().sum());
  }
  if (figures.empty()) return parts;
  const at::Tensor on_host = at::stack(figures).cpu();  // one copy, and not one for each block
  const double* figure = on_host.const_data_ptr<double>();
  for (Part& part : parts) {
    if (part.rows == 0) continue;
    part.largest = *figure++;
    part.squares = *figure++;
  }
  return parts;
}

}  // namespace

SampleScale scale_of(const TrainContext& context, const SampleBlocks& sample,
                     const Subsampling& subsampling) {
  comm::Communicator& comm = context.comm;
  const auto parts = context.path == gpu::ComputePath::torch ? parts_by_torch(sample, subsampling)
                                                             : parts_by_simd(sample, subsampling);
  Part mine;
  double largest_part = 0;
  for (const Part& part : parts) {
    // also if it is NaN
    if (!(part.largest <= mine.largest)) mine.largest = part.largest;
    largest_part = std::max(largest_part, part.squares);
    mine.rows += part.rows;
  }
  const double largest = agree_on_largest(comm, mine.largest);
  FixedPointSum squares(agree_on_fixed_point(comm, largest_part, sample.total_blocks()), 1);
  for (const Part& part : parts) squares.add_at(0, part.squares);
  return {FixedPoint(largest, sample.total_rows), squares.total(comm).front(), largest,
          comm.all_reduce(mine.rows, comm::Reduction::sum)};
}

}  // namespace knnseq::index
