#include "index/product_quantizer_training.hpp"

#include <algorithm>

#include "core/hash.hpp"
#include "core/types.hpp"
#include "index/cluster_sums.hpp"
#include "index/parallel.hpp"
#include "index/pq_assign.hpp"
#include "index/sample_scale.hpp"
#include "index/sample_selection.hpp"
#include "index/split_clusters.hpp"

namespace knnseq::index {

namespace {

PqTables tables_of(const at::Tensor& centroids) {
  KNNSEQ_ASSERT(centroids.dim() == 3 && centroids.size(1) == 256, "PQ centroids [m, 256, dsub]");
  const at::Tensor dense = centroids.contiguous();
  return make_pq_tables({dense.const_data_ptr<float>(), dense.size(0) * 256, dense.size(2)},
                        dense.size(0));
}

at::Tensor encode_with(const at::Tensor& x, const PqTables& tables) {
  const at::Tensor dense = x.contiguous();
  at::Tensor codes = at::empty({x.size(0), tables.m}, at::kByte);
  pq_assign({dense.const_data_ptr<float>(), dense.size(0), dense.size(1)}, tables,
            {codes.mutable_data_ptr<std::uint8_t>(), codes.size(0), codes.size(1)});
  return codes;
}

/// Splits the empty clusters of every sub-vector on its own; returns how many there were.
std::int64_t split_all(core::MatrixView<float> centroids, std::span<std::int64_t> counts,
                       std::uint64_t seed) {
  std::int64_t splits = 0;
  for (std::int64_t first = 0; first < centroids.rows; first += 256) {
    core::Random random(core::seeded_hash(seed, static_cast<std::uint64_t>(first)));
    splits +=
        split_empty_clusters({centroids.data + first * centroids.columns, 256, centroids.columns},
                             counts.subspan(static_cast<std::size_t>(first), 256), random);
  }
  return splits;
}

}  // namespace

Clustering start_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   std::int64_t m, std::uint64_t seed) {
  const at::Tensor rows = draw_rows(comm, sample, 256, seed);
  return {rows.view({256, m, sample.dim / m}).transpose(0, 1).contiguous(), 0, 0, 0};
}

Clustering train_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   const KmeansOptions& options, Clustering start,
                                   const AfterIteration& after_iteration) {
  Clustering state = std::move(start);
  if (state.iterations >= options.iterations) return state;
  const std::int64_t clusters = state.centroids.size(0) * 256;
  const std::int64_t dsub = state.centroids.size(2);
  const SampleScale scale = scale_of(comm, sample);
  while (state.iterations < options.iterations) {
    const PqTables tables = tables_of(state.centroids);
    ClusterSums sums(scale.fixed_point, clusters, dsub);
    for (const at::Tensor& stored : sample.blocks) {
      const at::Tensor block = stored.to(at::kFloat).contiguous();
      const at::Tensor codes = encode_with(block, tables);
      sums.add_coded({block.const_data_ptr<float>(), block.size(0), block.size(1)},
                     {codes.const_data_ptr<std::uint8_t>(), codes.size(0), codes.size(1)});
    }
    sums.reduce(comm);

    at::Tensor centroids = state.centroids.clone();
    const core::MatrixView<float> view{centroids.mutable_data_ptr<float>(), clusters, dsub};
    const double error = scale.squares - sums.explained({view.data, clusters, dsub});
    sums.write_means(view);
    state.splits =
        split_all(view, sums.counts(),
                  core::seeded_hash(options.seed, static_cast<std::uint64_t>(state.iterations)));
    state.centroids = centroids;
    state.mean_squared_error = error / static_cast<double>(sample.total_rows);
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

at::Tensor pq_encode(const at::Tensor& x, const at::Tensor& centroids) {
  return encode_with(x, tables_of(centroids));
}

at::Tensor pq_decode(const at::Tensor& codes, const at::Tensor& centroids) {
  const at::Tensor dense = centroids.contiguous();
  const std::int64_t m = dense.size(0);
  const std::int64_t count = dense.size(1);
  const std::int64_t dsub = dense.size(2);
  const at::Tensor dense_codes = codes.contiguous();
  at::Tensor result = at::empty({codes.size(0), m * dsub}, at::kFloat);
  const float* from = dense.const_data_ptr<float>();
  const auto* code = dense_codes.const_data_ptr<std::uint8_t>();
  float* to = result.mutable_data_ptr<float>();
  parallel_for(codes.size(0), [&](std::int64_t i) {
    for (std::int64_t s = 0; s < m; ++s) {
      std::copy_n(from + (s * count + code[i * m + s]) * dsub, dsub, to + (i * m + s) * dsub);
    }
  });
  return result;
}

}  // namespace knnseq::index
