// The faiss factory strings that this version trains and searches itself.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace knnseq::index {

enum class Transform { none, opq, pca };
enum class Metric { l2 };

/// `[OPQm[_dout]|PCAdout,]IVFn,PQm[x8][np]` in parts.
struct IndexSpec {
  Transform transform = Transform::none;
  std::int64_t d_in = 0;   ///< width of a key
  std::int64_t d_out = 0;  ///< width after the transform; d_in where there is none
  std::int64_t nlist = 0;  ///< inverted lists
  std::int64_t m = 0;      ///< sub-vectors, and bytes, of a code
  std::int64_t opq_m = 0;  ///< sub-vectors OPQ optimises for; 0 unless transform is opq
  int nbits = 8;           ///< bits per sub-vector
  Metric metric = Metric::l2;

  bool operator==(const IndexSpec&) const = default;
  std::int64_t centroids() const { return std::int64_t{1} << nbits; }  ///< per sub-vector
  std::int64_t dsub() const { return d_out / m; }                      ///< width of a sub-vector

  /// The canonical factory string, for example "OPQ32_128,IVF1024,PQ32".
  std::string factory() const;

  /// Throws core::InputError with one message for the first rule that is broken.
  void validate() const;
};

/// Parses and validates a factory string for keys of width `d_in`. `metric`: "l2".
/// Throws core::InputError, naming what is supported, for everything else.
IndexSpec parse_index_spec(std::string_view factory, std::int64_t d_in,
                           std::string_view metric = "l2");

}  // namespace knnseq::index
