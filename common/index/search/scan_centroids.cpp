#include "index/search/scan_centroids.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>

#include <ATen/ATen.h>

#include "core/types.hpp"
#include "index/simd/scan_kernel.hpp"
#include "index/simd/simd_kernels.hpp"

namespace knnseq::index {

namespace {

constexpr int lanes = 4;
using Floats [[gnu::vector_size(lanes * sizeof(float))]] = float;

Floats load(const float* from) {
  Floats value;
  std::memcpy(&value, from, sizeof(value));
  return value;
}

/// Centroids [m, 256, width].
struct Rows {
  const float* centroids;
  std::int64_t m;
  std::int64_t width;
};

/// What dot() computes, for sub-vectors of fixed_width floats. 0: the width is known at run time
/// only.
template <std::int64_t fixed_width>
float dot_of_code(const Rows& rows, const float* vector, const std::uint8_t* code,
                  const std::int64_t* places) {
  const std::int64_t width = fixed_width > 0 ? fixed_width : rows.width;
  Floats sums[4] = {};
  const auto add = [&](std::int64_t s, Floats& sum) {
    const float* centroid = rows.centroids + (s * 256 + code[places[s]]) * width;
    for (std::int64_t t = 0; t < width; t += lanes) {
      sum += load(vector + s * width + t) * load(centroid + t);
    }
  };
  std::int64_t s = 0;
  for (; s + 4 <= rows.m; s += 4) {
    add(s, sums[0]);
    add(s + 1, sums[1]);
    add(s + 2, sums[2]);
    add(s + 3, sums[3]);
  }
  for (; s < rows.m; ++s) add(s, sums[s % 4]);
  const Floats sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
  return (sum[0] + sum[1]) + (sum[2] + sum[3]);
}

/// About how long a query's sub-vectors are, squared [m]: as long as those of the vectors coded.
at::Tensor mean_squares(const Codebook& codebook) {
  at::Tensor squares = codebook.pq_centroids.square().sum(2).mean(1);
  const at::Tensor& coarse = codebook.coarse_centroids;
  if (coarse.defined() && coarse.size(0) > 0) {
    squares =
        squares + coarse.view({-1, squares.size(0), codebook.spec.dsub()}).square().sum(2).mean(0);
  }
  return squares.contiguous();
}

}  // namespace

ScanCentroids::ScanCentroids(const Codebook& codebook)
    : m_(codebook.spec.m),
      dsub_(codebook.spec.dsub()),
      padded_dsub_(core::ceil_div(dsub_, lanes) * lanes),
      centroids_(m_ * 256 * padded_dsub_, 0),
      columns_(m_ * 256 * dsub_),
      radii_(m_, 0),
      order_(m_),
      places_(m_) {
  KNNSEQ_ASSERT(codebook.spec.nbits() == 8, "codes have 8 bits a sub-vector");
  const float* from = codebook.pq_centroids.const_data_ptr<float>();
  for (std::int64_t i = 0; i < m_ * 256; ++i, from += dsub_) {
    const std::int64_t s = i / 256;
    float norm = 0;  // squared
    for (std::int64_t t = 0; t < dsub_; ++t) {
      centroids_[i * padded_dsub_ + t] = from[t];
      columns_[(s * dsub_ + t) * 256 + i % 256] = from[t];
      norm += from[t] * from[t];
    }
    float& radius = radii_[s];
    radius = std::max(radius, std::sqrt(norm));
  }
  const at::Tensor squares = mean_squares(codebook);
  std::iota(order_.begin(), order_.end(), 0);
  std::ranges::stable_sort(order_, std::ranges::greater(), [&](std::int64_t s) {
    return squares.const_data_ptr<float>()[s] * radii_[s] * radii_[s];
  });
  for (std::int64_t row = 0; row < m_; ++row) places_[order_[row]] = row * scan_block_entries;
}

std::int64_t ScanCentroids::bytes() const {
  const std::size_t floats = centroids_.size() + columns_.size() + radii_.size();
  const std::size_t numbers = order_.size() + places_.size();
  return static_cast<std::int64_t>(floats * sizeof(float) + numbers * sizeof(std::int64_t));
}

void ScanCentroids::pad(const float* vector, float factor, float* padded) const {
  for (std::int64_t s = 0; s < m_; ++s) {
    for (std::int64_t t = 0; t < dsub_; ++t) {
      padded[s * padded_dsub_ + t] = factor * vector[s * dsub_ + t];
    }
  }
}

float ScanCentroids::dot(const float* padded, const std::uint8_t* code,
                         const std::int64_t* places) const {
  const Rows rows{centroids_.data(), m_, padded_dsub_};
  if (padded_dsub_ == 4) return dot_of_code<4>(rows, padded, code, places);
  if (padded_dsub_ == 8) return dot_of_code<8>(rows, padded, code, places);
  return dot_of_code<0>(rows, padded, code, places);
}

std::unique_ptr<float[]> ScanCentroids::terms_of(const float* centroid) const {
  auto terms = std::make_unique_for_overwrite<float[]>(m_ * 256);
  simd_kernels().adc.make_terms({.centroid = centroid,
                                 .columns = columns_.data(),
                                 .m = m_,
                                 .dsub = dsub_,
                                 .terms = terms.get()});
  return terms;
}

}  // namespace knnseq::index
