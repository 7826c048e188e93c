#include "model/layers/log_softmax_kernel.hpp"

#include "core/compiled_for.hpp"
#include "model/layers/exponential.hpp"

namespace knnseq::model {

namespace {

constexpr std::int64_t lanes = core::float_lanes;

/// NaN is passed over.
float greatest(const float* values, std::int64_t count) {
  Floats most = Floats{} - __builtin_inff();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    const Floats here = load(values + i);
    most = here > most ? here : most;
  }
  float result = largest_lane(most);
  for (; i < count; ++i) result = values[i] > result ? values[i] : result;
  return result;
}

float sum_of_exponentials(const float* values, std::int64_t count, float greatest) {
  Floats sums[2] = {};  // so that additions need not wait for each other
  std::int64_t i = 0;
  for (; i + 2 * lanes <= count; i += 2 * lanes) {
    sums[0] += exponential(load(values + i) - greatest);
    sums[1] += exponential(load(values + i + lanes) - greatest);
  }
  float rest[2 * lanes];
  for (std::int64_t l = 0; l < 2 * lanes; ++l) {
    rest[l] = i + l < count ? values[i + l] : -__builtin_inff();
  }
  sums[0] += exponential(load(rest) - greatest);
  sums[1] += exponential(load(rest + lanes) - greatest);
  return sum_of_lanes(sums[0] + sums[1]);
}

void log_softmax(float* row, std::int64_t count) {
  const float most = greatest(row, count);
  const float shift = most + __builtin_logf(sum_of_exponentials(row, count, most));
  for (std::int64_t i = 0; i < count; ++i) row[i] -= shift;
}

}  // namespace

template <>
LogSoftmaxKernel log_softmax_kernel<core::compiled_for>() {
  return {core::compiled_for, log_softmax};
}

}  // namespace knnseq::model
