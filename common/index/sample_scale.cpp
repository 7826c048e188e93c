#include "index/sample_scale.hpp"

#include <algorithm>
#include <span>
#include <vector>

namespace knnseq::index {

namespace {

std::span<const float> values_of(const at::Tensor& block) {
  return {block.const_data_ptr<float>(), static_cast<std::size_t>(block.numel())};
}

}  // namespace

SampleScale scale_of(comm::Communicator& comm, const SampleBlocks& sample) {
  double largest = 0;
  std::vector<double> squares;
  for (const at::Tensor& stored : sample.blocks) {
    const at::Tensor block = stored.to(at::kFloat).contiguous();
    largest = std::max(largest, largest_magnitude(values_of(block)));
    double sum = 0;
    for (const float value : values_of(block)) sum += static_cast<double>(value) * value;
    squares.push_back(sum);
  }
  const FixedPoint fixed_point = agree_on_fixed_point(comm, largest, sample.total_rows);
  const double largest_sum =
      squares.empty() ? 0 : *std::max_element(squares.begin(), squares.end());
  FixedPointSum total(
      agree_on_fixed_point(comm, largest_sum,
                           sample.total_rows),  // there are no more blocks than rows
      1);
  for (const double sum : squares) total.add_at(0, sum);
  return {fixed_point, total.total(comm).front()};
}

}  // namespace knnseq::index
