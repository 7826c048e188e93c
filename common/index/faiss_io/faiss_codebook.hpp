// Codebooks as faiss objects; for the .cpp files of this module.
#pragma once

#include <memory>
#include <span>

#include <faiss/Index.h>

#include "index/faiss_io/codebook.hpp"

namespace faiss {
struct IndexIVF;
}

namespace knnseq::index {

using FaissId = decltype(faiss::Index::ntotal);  // its name differs between versions
static_assert(sizeof(FaissId) == sizeof(std::int64_t));

/// The eigen_power of a faiss::PCAMatrix that whitens.
inline constexpr float whitening_power = -0.5f;

faiss::MetricType faiss_metric(Metric metric);

/// The codebook without its transform, as an index without entries and ids. Lists are found by a
/// copy of the coarse graph if there is one.
std::unique_ptr<faiss::Index> make_faiss_index(const Codebook& codebook);
/// The same, for a codebook with lists.
std::unique_ptr<faiss::IndexIVF> make_faiss_lists(const Codebook& codebook);

/// Puts the codebook's normalisation and transform, if it has them, before the index.
std::unique_ptr<faiss::Index> with_transform(const Codebook& codebook,
                                             std::unique_ptr<faiss::Index> index);

/// Gives the entries of an index without lists these ids, [n].
std::unique_ptr<faiss::Index> with_ids(std::unique_ptr<faiss::Index> index,
                                       std::span<const std::int64_t> ids);

/// An index without lists that holds entries: codes uint8 [n, code_bytes] in their order, without
/// ids. A graph is built on one thread, so that it is the same each time.
std::unique_ptr<faiss::Index> make_filled_index(const Codebook& codebook,
                                                std::span<const std::uint8_t> codes);

/// The codes that make_filled_index() takes, uint8 [n, m / 2], of x fp32 [n, d_out] under a
/// product quantiser of 4 bits a sub-vector.
at::Tensor fast_scan_codes(const Codebook& codebook, const at::Tensor& x);

}  // namespace knnseq::index
