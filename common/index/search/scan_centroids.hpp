// The product quantiser's centroids as the scan needs them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "index/faiss_io/codebook.hpp"

namespace knnseq::index {

/// Copies of the codebook's PQ centroids, with the distances' only fp32 sums. Not collective.
class ScanCentroids {
 public:
  explicit ScanCentroids(const Codebook& codebook);

  std::int64_t m() const { return m_; }
  std::int64_t dsub() const { return dsub_; }
  std::int64_t padded_dsub() const { return padded_dsub_; }
  std::int64_t bytes() const;
  /// [m, dsub, 256]
  const float* columns() const { return columns_.data(); }
  /// The largest norm of a sub-vector's centroids.
  float radius(std::int64_t sub_vector) const { return radii_[sub_vector]; }

  /// The sub-vectors [m] in the order of rows of a block and of tables: those first by which
  /// distances of queries are likely to differ most, so that rows of a table whose steps are wide
  /// come before those whose steps are narrow (ScanTableJob).
  std::span<const std::int64_t> order() const { return order_; }
  /// How far into a code of a block the byte of each sub-vector lies [m].
  std::span<const std::int64_t> places() const { return places_; }

  /// Writes factor · vector [d_out] to padded [m · padded_dsub()], which holds zeros: each
  /// sub-vector is filled up to a multiple of 4.
  void pad(const float* vector, float factor, float* padded) const;

  /// ⟨vector, r̂⟩ for the padded vector and the code's decoded residual r̂; the byte of sub-vector s
  /// is code[places[s]]. The product of component t of sub-vector s is added to partial sum
  /// (s mod 4, t mod 4), in ascending (s, t); the 16 sums are then added up as a balanced tree. So
  /// the value depends on nothing but vector and code.
  float dot(const float* padded, const std::uint8_t* code, const std::int64_t* places) const;

  /// What each code contributes to the terms of entries in the list of `centroid` [d_out], fp32
  /// [m, 256]: ⟨2c + r, r⟩ with the list's part c and the code's r of a sub-vector, summed over
  /// its components in order. Entries' terms are sums of these: term_of().
  std::unique_ptr<float[]> terms_of(const float* centroid) const;

 private:
  std::int64_t m_;
  std::int64_t dsub_;
  std::int64_t padded_dsub_;
  std::vector<float> centroids_;      ///< [m, 256, padded_dsub]
  std::vector<float> columns_;        ///< [m, dsub, 256]
  std::vector<float> radii_;          ///< [m]
  std::vector<std::int64_t> order_;   ///< [m]
  std::vector<std::int64_t> places_;  ///< [m]
};

/// The term of an entry with this code [m], of terms_of() its list: four sums of every fourth
/// contribution, added up as a balanced tree.
inline float term_of(const float* terms, const std::uint8_t* code, std::int64_t m) {
  float sums[4] = {};
  std::int64_t s = 0;
  for (; s + 4 <= m; s += 4) {
    for (std::int64_t i = 0; i < 4; ++i) sums[i] += terms[(s + i) * 256 + code[s + i]];
  }
  for (std::int64_t i = 0; s < m; ++s, ++i) sums[i] += terms[s * 256 + code[s]];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

}  // namespace knnseq::index
