// The faiss factory strings that knnseq trains, fills and searches.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/enum_names.hpp"

namespace knnseq::index {

enum class Transform { none, opq, pca };

/// How nearness is measured. cos is the inner product of vectors that were normalised in their
/// original width.
enum class Metric { l2, ip, cos };
constexpr auto names_of(Metric) {
  return core::enum_names<Metric>({{Metric::l2, "l2"}, {Metric::ip, "ip"}, {Metric::cos, "cos"}});
}

constexpr bool is_inner_product(Metric metric) { return metric != Metric::l2; }

/// How entries are stored.
enum class Storage {
  flat,          ///< fp32 vectors
  pq,            ///< product quantiser, 8 bits a sub-vector
  pq_fast_scan,  ///< product quantiser, 4 bits a sub-vector, in blocks for SIMD registers
  hnsw           ///< fp32 vectors with a graph over them
};

/// A factory string in parts:
/// `[OPQm|OPQm_d|PCAd|PCAWd,][L2norm,][IVFn[_HNSWk],]Flat|PQm|PQmx4fs|HNSWk`; lists only before
/// Flat and PQm, PCAW and L2norm only for l2.
struct IndexSpec {
  Transform transform = Transform::none;
  std::int64_t d_in = 0;   ///< width of a key
  std::int64_t d_out = 0;  ///< width after the transform; d_in if there is none
  std::int64_t nlist = 0;  ///< inverted lists; 0: entries are not in lists
  /// Edges of the graph over the coarse centroids that faiss finds lists by; 0: no graph.
  std::int64_t coarse_edges = 0;
  Storage storage = Storage::pq;
  std::int64_t m = 0;       ///< sub-vectors of a code; 0 without a product quantiser
  std::int64_t edges = 0;   ///< of the graph over entries; 0 unless storage is hnsw
  std::int64_t opq_m = 0;   ///< sub-vectors OPQ optimises for; 0 unless transform is opq
  bool whitened = false;    ///< PCA's components are scaled to variance 1
  bool normalised = false;  ///< vectors are brought to length 1 after the transform
  Metric metric = Metric::l2;

  bool operator==(const IndexSpec&) const = default;
  bool has_lists() const { return nlist > 0; }
  bool has_quantizer() const { return m > 0; }
  std::int64_t nbits() const { return storage == Storage::pq_fast_scan ? 4 : 8; }
  std::int64_t centroids() const { return std::int64_t{1} << nbits(); }  ///< per sub-vector
  std::int64_t dsub() const { return d_out / m; }                        ///< width of a sub-vector
  std::int64_t code_bytes() const;  ///< of one entry as it is stored

  /// Centroids per sub-vector of the product quantiser, also OPQ's; 0 if none is trained.
  std::int64_t quantizer_centroids() const;
  /// The fewest training vectors needed: as many as a quantiser has centroids.
  std::int64_t least_sample() const;

  /// The canonical factory string, for example "OPQ32_128,IVF1024,PQ32".
  std::string factory() const;

  /// Throws core::InputError with one message for the first rule that is broken.
  void validate() const;
};

/// Parses and validates a factory string for keys of width `d_in`. `metric`: "l2", "ip" or "cos".
/// Throws core::InputError, naming what is supported, for everything else.
IndexSpec parse_index_spec(std::string_view factory, std::int64_t d_in,
                           std::string_view metric = "l2");

}  // namespace knnseq::index
