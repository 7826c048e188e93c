#include "index/product_quantizer_training.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "index/parallel.hpp"
#include "index/pq_assign.hpp"
#include "index/sample_selection.hpp"

namespace knnseq::index {

namespace {

PqTables tables_of(const at::Tensor& centroids) {
  KNNSEQ_ASSERT(centroids.dim() == 3, "PQ centroids [m, centroids, dsub]");
  const at::Tensor dense = centroids.contiguous();
  return make_pq_tables(
      {dense.const_data_ptr<float>(), dense.size(0) * dense.size(1), dense.size(2)}, dense.size(0));
}

core::MatrixView<const float> view_of(const at::Tensor& x) {
  return {x.const_data_ptr<float>(), x.size(0), x.size(1)};
}

core::MatrixView<std::uint8_t> codes_view(const at::Tensor& codes) {
  return {codes.mutable_data_ptr<std::uint8_t>(), codes.size(0), codes.size(1)};
}

}  // namespace

Clustering start_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   const QuantizerOptions& options) {
  const at::Tensor rows = draw_rows(comm, sample, options.centroids, options.seed);
  return {rows.view({options.centroids, options.m, sample.dim / options.m})
              .transpose(0, 1)
              .contiguous(),
          0, 0, 0};
}

Clustering train_product_quantizer(comm::Communicator& comm, const SampleBlocks& sample,
                                   const QuantizerOptions& options, Clustering start,
                                   const AfterIteration& after_iteration,
                                   std::vector<at::Tensor>* codes) {
  if (start.iterations >= options.iterations) return start;
  const SampleBlocks rows = map_blocks(sample, sample.dim, [](const at::Tensor& x) { return x; });
  std::vector<PqBlock> blocks;
  for (const at::Tensor& block : rows.blocks) {
    PqBlock with_codes{view_of(block), {}};
    if (codes != nullptr) {
      codes->push_back(at::empty({block.size(0), options.m}, at::kByte));
      with_codes.codes = codes_view(codes->back());
    }
    blocks.push_back(with_codes);
  }
  const auto assign = [&](const at::Tensor& centroids, ClusterSums& sums) {
    pq_assign_and_sum(blocks, tables_of(centroids), sums);
  };
  return lloyd(
      comm, {options.iterations, options.seed, /*spherical=*/false, scale_of(comm, rows), assign},
      std::move(start), after_iteration);
}

at::Tensor pq_encode(const at::Tensor& x, const at::Tensor& centroids) {
  const at::Tensor dense = x.contiguous();
  at::Tensor codes = at::empty({x.size(0), centroids.size(0)}, at::kByte);
  pq_assign(view_of(dense), tables_of(centroids), codes_view(codes));
  return codes;
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
