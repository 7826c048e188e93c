// Small data and codebooks for tests of the index.
#pragma once

#include <ATen/ATen.h>

#include "comm/self_communicator.hpp"
#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/faiss_io/index_builder.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/train/train_codebook.hpp"
#include "support/normal.hpp"

namespace knnseq::test {

constexpr std::int64_t key_width = 16;

inline at::Tensor normal(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  core::Random random(seed);
  at::Tensor result = at::empty({n, d}, at::kFloat);
  auto* data = result.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < n * d; ++i) data[i] = static_cast<float>(test::normal(random));
  return result;
}

/// Points around n / 64 centres, correlated and with directions of different variance.
inline at::Tensor clustered(std::int64_t n, std::int64_t d, std::uint64_t seed) {
  const std::int64_t clusters = std::max<std::int64_t>(n / 64, 1);
  const at::Tensor mix = normal(d, d, seed + 1) / std::sqrt(static_cast<double>(d));
  const at::Tensor scale = at::logspace(0.5, -0.5, d, 10.0, at::kFloat);
  const at::Tensor centres = normal(clusters, d, seed + 2) * 1.5;
  const at::Tensor which = at::remainder(at::arange(n, at::kLong), clusters);
  const at::Tensor points = at::index_select(centres, 0, which) + normal(n, d, seed + 3);
  return at::mm(points * scale, mix).contiguous();
}

inline index::Codebook train_alone(const at::Tensor& sample, const index::IndexSpec& spec,
                                   const index::TrainOptions& options,
                                   const index::CheckpointHooks& hooks = {}) {
  const auto self = comm::make_self_communicator();
  return index::train_codebook(*self, index::deal_sample(sample, 512, 0, 1), spec, options, hooks);
}

/// Few iterations: for tests where quality does not matter.
inline index::TrainOptions quick_options() {
  index::TrainOptions options;
  options.coarse_iterations = 3;
  options.opq_iterations = 3;
  options.opq_first_pq_iterations = 3;
  options.opq_pq_iterations = 2;
  options.pq_iterations = 3;
  return options;
}

inline index::Codebook quick_codebook(std::uint64_t seed = 1) {
  return train_alone(clustered(1500, 16, seed), index::parse_index_spec("OPQ4_8,IVF8,PQ4", 16),
                     quick_options());
}

/// A codebook of random numbers: for tests where quality does not matter.
inline index::Codebook random_codebook(const index::IndexSpec& spec, std::uint64_t seed = 5) {
  index::Codebook codebook;
  codebook.spec = spec;
  if (spec.transform != index::Transform::none) {
    codebook.rotation = std::get<0>(at::linalg_qr(normal(spec.d_in, spec.d_in, seed)))
                            .narrow(0, 0, spec.d_out)
                            .contiguous();
    if (spec.transform == index::Transform::pca && spec.metric == index::Metric::l2) {
      codebook.bias = normal(1, spec.d_out, seed + 1).squeeze(0).contiguous();
    }
  }
  if (spec.has_lists()) codebook.coarse_centroids = normal(spec.nlist, spec.d_out, seed + 2);
  if (spec.has_quantizer()) {
    codebook.pq_centroids = normal(spec.m * spec.centroids(), spec.dsub(), seed + 3)
                                .view({spec.m, spec.centroids(), spec.dsub()});
  }
  index::build_coarse_graph(codebook);
  codebook.check("test");
  return codebook;
}

/// Keys as entries numbered from `first`, the token being the entry number mod 97.
inline index::CodedEntries coded_entries(const index::Codebook& codebook, const at::Tensor& keys,
                                         std::int64_t first = 0) {
  const index::VectorQuantizer quantizer(codebook);
  const at::Tensor rotated = quantizer.rotate(keys);
  const bool has_lists = codebook.spec.has_lists();
  const at::Tensor lists = has_lists ? quantizer.assign_exact(rotated) : at::Tensor();
  at::Tensor ids = at::empty({keys.size(0)}, at::kLong);
  for (std::int64_t i = 0; i < keys.size(0); ++i) {
    ids.mutable_data_ptr<std::int64_t>()[i] =
        core::pack_entry_id(static_cast<core::TokenId>((first + i) % 97), first + i);
  }
  return {lists, quantizer.encode(rotated, lists), ids};
}

inline index::CodedEntries select(const index::CodedEntries& entries, const at::Tensor& rows) {
  return {entries.lists.defined() ? at::index_select(entries.lists, 0, rows) : entries.lists,
          at::index_select(entries.codes, 0, rows), at::index_select(entries.ids, 0, rows)};
}

}  // namespace knnseq::test
