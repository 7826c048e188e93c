#include <algorithm>

#include "core/error.hpp"
#include "gpu/pq_codes.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/sample/cluster_sums.hpp"

namespace knnseq::index {

namespace {

/// int64 [n, m]: codes as numbers that count the centroids of all sub-vectors.
at::Tensor clusters_of(const at::Tensor& codes, std::int64_t count) {
  return codes.to(at::kLong) + at::arange(codes.size(1), codes.options().dtype(at::kLong)) * count;
}

/// Codes of the centroids [m, count, dsub], on devices without a kernel of ours.
void encode_by_products(const at::Tensor& x, const at::Tensor& centroids, const at::Tensor& codes) {
  constexpr std::int64_t tile_rows = 1024;
  const std::int64_t m = centroids.size(0);
  const at::Tensor norms = centroids.square().sum(-1).unsqueeze(1);  // [m, 1, count]
  const at::Tensor columns = centroids.transpose(1, 2);              // [m, dsub, count]
  for (std::int64_t first = 0; first < x.size(0); first += tile_rows) {
    const std::int64_t rows = std::min(tile_rows, x.size(0) - first);
    const at::Tensor parts =
        x.narrow(0, first, rows).view({rows, m, centroids.size(2)}).transpose(0, 1);
    const at::Tensor scores = at::baddbmm(norms, parts, columns, /*beta=*/1, /*alpha=*/-2);
    codes.narrow(0, first, rows).copy_(std::get<1>(at::min(scores, 2)).t());
  }
}

}  // namespace

void ProductQuantizer::move_to(at::Device device, const at::Tensor& centroids) {
  centroids_ = centroids.to(device).contiguous();
  packed_ = at::tensor(tables_.packed, at::kFloat).to(device);
}

void ProductQuantizer::encode_torch(const at::Tensor& x, const at::Tensor& codes) const {
  assign(x, codes, nullptr);
}

void ProductQuantizer::encode_and_sum_torch(std::span<const at::Tensor> blocks, ClusterSums& sums,
                                            const std::vector<at::Tensor>* codes) const {
  for (std::size_t b = 0; b < blocks.size(); ++b) {
    const auto shape = {blocks[b].size(0), tables_.m};
    assign(blocks[b],
           codes != nullptr ? (*codes)[b] : at::empty(shape, blocks[b].options().dtype(at::kByte)),
           &sums);
  }
}

void ProductQuantizer::assign(const at::Tensor& x, const at::Tensor& codes,
                              ClusterSums* sums) const {
  KNNSEQ_ASSERT(x.dim() == 2 && x.is_contiguous() && x.scalar_type() == at::kFloat &&
                    x.size(1) == tables_.m * tables_.dsub && codes.is_contiguous(),
                "shapes of vectors and centroids differ");
  KNNSEQ_ASSERT(sums == nullptr || sums->sums().numel() == centroids_.numel(),
                "sums of other centroids");
  if (!x.is_cuda()) {
    encode_by_products(x, centroids_, codes);
    if (sums == nullptr) return;
    const at::Tensor clusters = clusters_of(codes, tables_.centroids).flatten();
    sums->add(x.view({clusters.size(0), tables_.dsub}), clusters);
    return;
  }
  gpu::PqCodesJob job;
  job.x = x.const_data_ptr<float>();
  job.packed = packed_.const_data_ptr<float>();
  job.n = x.size(0);
  job.m = tables_.m;
  job.centroids = tables_.centroids;
  job.dsub = tables_.dsub;
  job.codes = codes.mutable_data_ptr<std::uint8_t>();
  if (sums != nullptr) {
    job.sums = sums->sums().mutable_data_ptr<std::int64_t>();
    job.counts = sums->counts().mutable_data_ptr<std::int64_t>();
    job.scale = sums->fixed_point().scale();
  }
  gpu::assign_pq_codes(job);
}

at::Tensor pq_decode_torch(const at::Tensor& codes, const at::Tensor& centroids) {
  const at::Tensor clusters = clusters_of(codes, centroids.size(1)).flatten();
  return at::index_select(centroids.flatten(0, 1), 0, clusters)
      .view({codes.size(0), codes.size(1) * centroids.size(2)});
}

}  // namespace knnseq::index
