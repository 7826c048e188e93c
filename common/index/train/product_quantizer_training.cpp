#include "index/train/product_quantizer_training.hpp"

#include <algorithm>
#include <utility>

#include "core/error.hpp"
#include "index/core/parallel.hpp"
#include "index/quantize/device_pq.hpp"
#include "index/quantize/pq_assign.hpp"
#include "index/sample/sample_selection.hpp"

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

/// One assignment of all blocks by the kernel of this CPU; fills `codes` where they are wanted.
void assign_by_kernels(const SampleBlocks& sample, const at::Tensor& centroids, ClusterSums& sums,
                       std::vector<at::Tensor>* codes) {
  std::vector<PqBlock> blocks;
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    blocks.push_back({view_of(sample.blocks[b]), {}});
    if (codes != nullptr) blocks.back().codes = codes_view((*codes)[b]);
  }
  pq_assign_and_sum(blocks, tables_of(centroids), sums);
}

/// The same by tensors.
void assign_by_tensors(const SampleBlocks& sample, const at::Tensor& centroids, ClusterSums& sums,
                       std::vector<at::Tensor>* codes) {
  const DevicePq pq(centroids, centroids.device());
  for (std::size_t b = 0; b < sample.blocks.size(); ++b) {
    const at::Tensor found = device_pq_assign(sample.blocks[b], pq, &sums);
    if (codes != nullptr) (*codes)[b] = found;
  }
}

}  // namespace

Clustering start_product_quantizer(const TrainContext& context, const SampleBlocks& sample,
                                   const QuantizerOptions& options) {
  const at::Tensor rows = draw_rows(context.comm, sample, options.centroids, options.seed);
  return {rows.view({options.centroids, options.m, sample.dim / options.m})
              .transpose(0, 1)
              .contiguous()
              .to(context.device),
          0, 0, 0};
}

Clustering train_product_quantizer(const TrainContext& context, const ScaledSample& sample,
                                   const QuantizerOptions& options, Clustering start,
                                   const AfterIteration& after_iteration,
                                   std::vector<at::Tensor>* codes) {
  if (start.iterations >= options.iterations) return start;
  if (codes != nullptr) {
    for (const at::Tensor& block : sample.rows.blocks) {
      codes->push_back(at::empty({block.size(0), options.m}, block.options().dtype(at::kByte)));
    }
  }
  const auto assign = [&](const at::Tensor& centroids, ClusterSums& sums) {
    (context.uses_tensors() ? assign_by_tensors : assign_by_kernels)(sample.rows, centroids, sums,
                                                                     codes);
  };
  return lloyd(context,
               {options.iterations, options.seed, /*spherical=*/false, sample.scale, assign},
               std::move(start), after_iteration);
}

at::Tensor pq_encode(const at::Tensor& x, const at::Tensor& centroids) {
  const at::Tensor dense = x.contiguous();
  at::Tensor codes = at::empty({x.size(0), centroids.size(0)}, at::kByte);
  pq_assign(view_of(dense), tables_of(centroids), codes_view(codes));
  return codes;
}

at::Tensor pq_decode(const at::Tensor& codes, const at::Tensor& centroids, gpu::ComputePath path) {
  if (path == gpu::ComputePath::torch) return device_pq_decode(codes, centroids);
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
