// Entries that say what others say: the same token at nearly the same place.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "index/faiss_io/codebook.hpp"

namespace knnseq::index {

/// When an entry is left out: if of the entries of its list that are left the `neighbours` nearest
/// have its token and lie within a squared distance of `radius`. Of equally near ones those of
/// other tokens come first.
struct LikeRule {
  std::int64_t neighbours = 4;  ///< at least 1
  float radius = 0;
};

/// Finds entries that can be left out, in one list after another. After the greedy merging of J.
/// He, G. Neubig and T. Berg-Kirkpatrick, "Efficient Nearest Neighbor Language Models" (EMNLP
/// 2021), who merge an entry with one of the same token among its nearest. Here all of the nearest
/// must have it, so that a search at this place still finds nothing else, and only entries of one
/// list are compared, by their codes.
class LikeEntries {
 public:
  /// Throws core::InputError for an index without lists. Memory: 256 KiB for each sub-quantiser.
  explicit LikeEntries(const Codebook& codebook);

  /// Sum over entries of one list of their squared distance from its centroid, as coded.
  /// codes: uint8 [n, code_bytes].
  double spread(std::int64_t list, std::span<const std::uint8_t> codes) const;

  /// Positions, ascending, of the entries that are left out by the rule, one after another. ids:
  /// packed, [n] in the order of entry numbers; codes: as above. Entries that are `skipped` have
  /// been left out before.
  std::vector<std::size_t> find(std::span<const std::int64_t> ids,
                                std::span<const std::uint8_t> codes,
                                const std::vector<bool>& skipped, const LikeRule& rule) const;

 private:
  /// Whether the squared distance is at most `radius`; only then `distance` is set.
  bool within(const std::uint8_t* a, const std::uint8_t* b, float radius, float& distance) const;
  float norm(std::int64_t list, const std::uint8_t* code) const;

  Codebook codebook_;
  std::int64_t code_bytes_;
  std::vector<float> distances_;  ///< [m, 256, 256] squared, of centroids; of PQ codes
  std::vector<float> norms_;      ///< [m, 256] squared
};

}  // namespace knnseq::index
