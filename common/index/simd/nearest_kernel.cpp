#include "index/simd/nearest_kernel.hpp"

#include "index/simd/lanes.hpp"

namespace knnseq::index {

namespace {

/// lanes · groups rows, one row a lane, against `width` centroids at a time: all their products
/// stay in registers.
template <int groups, int width>
struct PanelScan {
  struct State {
    Floats best[groups];
    Ints nearest[groups];
  };

  template <int centroids>
  static void compare(const NearestPanel& panel, const std::int32_t* list, State& state) {
    const float* from[centroids];
    Floats products[centroids][groups];
#pragma GCC unroll 8
    for (int c = 0; c < centroids; ++c) {
      from[c] = panel.centroids + list[c] * panel.d;
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) products[c][g] = Floats{};
    }
    const float* column = panel.columns;
    for (std::int64_t t = 0; t < panel.d; ++t, column += std::ptrdiff_t{lanes} * groups) {
      Floats x[groups];
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) x[g] = load(column + std::ptrdiff_t{g} * lanes);
#pragma GCC unroll 8
      for (int c = 0; c < centroids; ++c) {
        const Floats component = Floats{} + from[c][t];
#pragma GCC unroll 4
        for (int g = 0; g < groups; ++g) products[c][g] += x[g] * component;
      }
    }
    for (int c = 0; c < centroids; ++c) {
      const float norm = panel.norms[list[c]];
      for (int g = 0; g < groups; ++g) {
        const Floats score = norm - 2 * products[c][g];
        const Ints nearer = score < state.best[g];  // strictly: ties stay with the lowest
        state.best[g] = nearer ? score : state.best[g];
        state.nearest[g] = nearer ? Ints{} + list[c] : state.nearest[g];
      }
    }
  }

  static void scan(const NearestPanel& panel) {
    State state;
    __builtin_memcpy(state.best, panel.best, sizeof(state.best));
    __builtin_memcpy(state.nearest, panel.nearest, sizeof(state.nearest));
    std::int64_t j = 0;
    for (; j + width <= panel.count; j += width) compare<width>(panel, panel.list + j, state);
    for (; j < panel.count; ++j) compare<1>(panel, panel.list + j, state);
    __builtin_memcpy(panel.best, state.best, sizeof(state.best));
    __builtin_memcpy(panel.nearest, state.nearest, sizeof(state.nearest));
  }
};

// What fills the registers.
constexpr int groups = lanes == 16 ? 4 : 2;
constexpr int width = lanes == 4 ? 2 : 6;

}  // namespace

template <>
NearestKernel nearest_kernel<core::compiled_for>() {
  return {PanelScan<groups, width>::scan, std::int64_t{lanes} * groups};
}

}  // namespace knnseq::index
