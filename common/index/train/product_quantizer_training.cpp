#include "index/train/product_quantizer_training.hpp"

#include <utility>

#include "index/quantize/pq_codes.hpp"
#include "index/sample/sample_selection.hpp"

namespace knnseq::index {

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
    const ProductQuantizer quantizer(centroids, context.device, context.path);
    quantizer.encode_and_sum(sample.rows.blocks, sums, codes);
  };
  return lloyd(context,
               {options.iterations, options.seed, /*spherical=*/false, sample.scale, assign},
               std::move(start), after_iteration);
}

}  // namespace knnseq::index
