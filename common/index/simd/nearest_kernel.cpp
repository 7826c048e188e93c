#include "index/simd/nearest_kernel.hpp"

#include "index/simd/lanes.hpp"

namespace knnseq::index {

namespace {

// What fills the registers.
constexpr int panel_groups = lanes == 16 ? 4 : 2;
constexpr int panel_width = lanes == 4 ? 2 : 6;

/// lanes · groups rows, one row a lane, against `width` centroids at a time: all their products
/// stay in registers.
template <int groups, int width>
struct PanelScan {
  struct State {
    Floats best[groups];
    Ints nearest[groups];
  };

  /// Products of `centroids` centroids with all rows.
  template <int centroids>
  [[gnu::always_inline]] static void multiply(const float* column, std::int64_t d,
                                              const float* const (&from)[centroids],
                                              Floats (&products)[centroids][groups]) {
#pragma GCC unroll 8
    for (int c = 0; c < centroids; ++c) {
#pragma GCC unroll 4
      for (int g = 0; g < groups; ++g) products[c][g] = Floats{};
    }
    for (std::int64_t t = 0; t < d; ++t, column += std::ptrdiff_t{lanes} * groups) {
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
  }

  template <int centroids>
  static void compare(const NearestPanel& panel, const std::int32_t* list, State& state) {
    const float* from[centroids];
    Floats products[centroids][groups];
#pragma GCC unroll 8
    for (int c = 0; c < centroids; ++c) from[c] = panel.centroids + list[c] * panel.d;
    multiply<centroids>(panel.columns, panel.d, from, products);
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

  /// Centroids j … j + centroids − 1.
  template <int centroids>
  static void score_some(const ScorePanel& panel, std::int64_t j) {
    constexpr std::int64_t rows = std::int64_t{lanes} * groups;
    const float* from[centroids];
    Floats products[centroids][groups];
#pragma GCC unroll 8
    for (int c = 0; c < centroids; ++c) from[c] = panel.centroids + (j + c) * panel.d;
    multiply<centroids>(panel.columns, panel.d, from, products);
    for (int c = 0; c < centroids; ++c) {
      float* scores = panel.scores + (j + c) * rows;
      for (int g = 0; g < groups; ++g) {
        Floats score = panel.norms[j + c] - 2 * products[c][g];
        score = score == score ? score : Floats{} + __builtin_inff();
        __builtin_memcpy(scores + g * lanes, &score, sizeof(score));
      }
      if (panel.minima == nullptr) continue;
      float* minima = panel.minima + (j + c) % panel.groups * rows;
      for (int g = 0; g < groups; ++g) {
        const Floats score = load(scores + g * lanes);
        Floats least = load(minima + g * lanes);
        least = score < least ? score : least;
        __builtin_memcpy(minima + g * lanes, &least, sizeof(least));
      }
    }
  }

  static void score(const ScorePanel& panel) {
    if (panel.minima != nullptr) {
      for (std::int64_t i = 0; i < panel.groups * lanes * groups; ++i) {
        panel.minima[i] = __builtin_inff();
      }
    }
    std::int64_t j = 0;
    for (; j + width <= panel.count; j += width) score_some<width>(panel, j);
    for (; j < panel.count; ++j) score_some<1>(panel, j);
  }
};

void score_panel(const ScorePanel& panel) {
  if (panel.rows == lanes) return PanelScan<1, panel_width>::score(panel);
  if (panel.rows == 2 * lanes) return PanelScan<2, panel_width>::score(panel);
  PanelScan<panel_groups, panel_width>::score(panel);
}

void mark_panel(const ScorePanel& panel) {
  const float* scores = panel.scores;
  std::uint8_t* marks = panel.marks;
  for (std::int64_t c = 0; c < panel.count; ++c) {
    for (std::int64_t row = 0; row < panel.rows; row += lanes) {
      const Ints chosen = load(scores) <= load(panel.limits + row);
      const Bytes bytes = to_bytes(__builtin_convertvector(chosen & 1, Floats));
      __builtin_memcpy(marks, &bytes, sizeof(bytes));
      scores += lanes;
      marks += lanes;
    }
  }
}

}  // namespace

template <>
NearestKernel nearest_kernel<core::compiled_for>() {
  return {PanelScan<panel_groups, panel_width>::scan, std::int64_t{lanes} * panel_groups,
          score_panel, mark_panel, lanes};
}

}  // namespace knnseq::index
