// Which queries are searched, and how their neighbours count: the place for other rules for λ, T
// and k, and for those that skip searches.
//
// A new rule is a class in mixing_policy.cpp that make_mixing_policy() chooses by a new member of
// MixingOptions, which stages/shared/options/options.cpp reads from the config. Nothing else
// changes: KnnMixer and both implementations of the formula take what a policy decides.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include <ATen/ATen.h>

#include "core/files.hpp"
#include "retrieval/mixing/interpolation.hpp"

namespace knnseq::retrieval {

/// What the config says of the mixing, beside the search's k.
struct MixingOptions {
  float temperature = 100;              ///< T; its scale belongs to metric and model width
  float lambda = 0.5;                   ///< weight of the neighbours' distribution, in [0, 1]
  std::optional<float> threshold = {};  ///< as in Mixing

  /// Throws core::InputError.
  void validate() const;
  /// All that makes a difference to translations, by name: inputs of the stages that mix.
  core::Json inputs() const;
};

/// What a policy can look at, one row a query; all on one device.
struct MixingQueries {
  const at::Tensor& vectors;    ///< [q, d] fp32, fp16 or bf16
  const at::Tensor& log_probs;  ///< fp32 [q, V] of the model alone
};

class MixingPolicy {
 public:
  virtual ~MixingPolicy() = default;

  /// Before the search: the rows whose neighbours are looked for, int64 [n], ascending, on the
  /// queries' device; undefined: all. The other queries keep the model's distribution.
  virtual at::Tensor choose(const MixingQueries& /*queries*/) const { return {}; }

  /// After the search: how the neighbours of the chosen queries count. found: those in each
  /// datastore, nearest first. With several datastores p_knn is the mean of their distributions.
  virtual Mixing decide(const MixingQueries& queries, std::span<const index::TopK> found) const = 0;
};

std::unique_ptr<MixingPolicy> make_mixing_policy(const MixingOptions& options);

/// `how` for one of `count` datastores: interpolating with one after the other gives
/// (1 − λ) p_mt + λ/count Σ p_knn.
Mixing share_of_datastore(Mixing how, std::size_t datastore, std::size_t count);

}  // namespace knnseq::retrieval
