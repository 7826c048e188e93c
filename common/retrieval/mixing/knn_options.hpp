// How neighbours become a distribution over tokens.
#pragma once

#include <cstddef>
#include <optional>

namespace knnseq::retrieval {

struct KnnOptions {
  float temperature = 100;  ///< divides the scores; its scale belongs to metric and model width
  float lambda = 0.5;       ///< weight of the neighbours' distribution, in [0, 1]
  /// Neighbours scoring below it are dropped; a query whose best score is not above it keeps the
  /// model's distribution.
  std::optional<float> threshold;

  /// Throws core::InputError.
  void validate() const;

  /// Options for one of `count` datastores whose distributions are averaged: interpolating with one
  /// after the other gives (1 − λ) p_mt + λ/count Σ p_knn.
  KnnOptions share_of(std::size_t datastore, std::size_t count) const;
};

}  // namespace knnseq::retrieval
