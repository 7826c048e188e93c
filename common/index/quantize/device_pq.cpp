#include "index/quantize/device_pq.hpp"

#include <algorithm>

#include "core/error.hpp"
#include "gpu/pq_assign.hpp"
#include "index/quantize/pq_assign.hpp"

namespace knnseq::index {

namespace {

at::Tensor packed_tables(const at::Tensor& centroids, at::Device device) {
  const at::Tensor host = centroids.cpu().contiguous();
  const auto tables = make_pq_tables(
      {host.const_data_ptr<float>(), host.size(0) * host.size(1), host.size(2)}, host.size(0));
  return at::tensor(tables.packed, at::kFloat).to(device);
}

/// int64 [n, m]: what codes name when the centroids of all sub-vectors are counted through.
at::Tensor clusters_of(const at::Tensor& codes, std::int64_t count) {
  return codes.to(at::kLong) + at::arange(codes.size(1), codes.options().dtype(at::kLong)) * count;
}

/// By the kernel of CUDA devices.
at::Tensor assign_by_kernel(const at::Tensor& x, const DevicePq& pq, ClusterSums* sums) {
  at::Tensor codes = at::empty({x.size(0), pq.centroids.size(0)}, x.options().dtype(at::kByte));
  gpu::PqAssignJob job;
  job.x = x.const_data_ptr<float>();
  job.packed = pq.packed.const_data_ptr<float>();
  job.n = x.size(0);
  job.m = pq.centroids.size(0);
  job.centroids = pq.centroids.size(1);
  job.dsub = pq.centroids.size(2);
  job.codes = codes.mutable_data_ptr<std::uint8_t>();
  if (sums != nullptr) {
    job.sums = sums->sums().mutable_data_ptr<std::int64_t>();
    job.counts = sums->counts().mutable_data_ptr<std::int64_t>();
    job.scale = sums->fixed_point().scale();
  }
  gpu::pq_assign(job);
  return codes;
}

at::Tensor codes_by_products(const at::Tensor& x, const at::Tensor& centroids) {
  constexpr std::int64_t tile_rows = 1024;
  const std::int64_t m = centroids.size(0);
  const at::Tensor norms = centroids.square().sum(-1).unsqueeze(1);  // [m, 1, count]
  const at::Tensor columns = centroids.transpose(1, 2);              // [m, dsub, count]
  at::Tensor codes = at::empty({x.size(0), m}, x.options().dtype(at::kByte));
  for (std::int64_t first = 0; first < x.size(0); first += tile_rows) {
    const std::int64_t rows = std::min(tile_rows, x.size(0) - first);
    const at::Tensor parts =
        x.narrow(0, first, rows).view({rows, m, centroids.size(2)}).transpose(0, 1);
    const at::Tensor scores = at::baddbmm(norms, parts, columns, /*beta=*/1, /*alpha=*/-2);
    codes.narrow(0, first, rows).copy_(std::get<1>(at::min(scores, 2)).t());
  }
  return codes;
}

}  // namespace

DevicePq::DevicePq(const at::Tensor& pq_centroids, at::Device device)
    : centroids(pq_centroids.to(device).contiguous()),
      packed(packed_tables(pq_centroids, device)) {}

at::Tensor device_pq_assign(const at::Tensor& x, const DevicePq& pq, ClusterSums* sums) {
  const at::Tensor& centroids = pq.centroids;
  KNNSEQ_ASSERT(x.dim() == 2 && x.is_contiguous() && x.scalar_type() == at::kFloat &&
                    x.size(1) == centroids.size(0) * centroids.size(2),
                "shapes of vectors and centroids differ");
  KNNSEQ_ASSERT(sums == nullptr || sums->sums().numel() == centroids.numel(),
                "sums of other centroids");
  if (x.is_cuda()) return assign_by_kernel(x, pq, sums);
  at::Tensor codes = codes_by_products(x, centroids);
  if (sums != nullptr) {
    const at::Tensor clusters = clusters_of(codes, centroids.size(1)).flatten();
    sums->add(x.view({clusters.size(0), centroids.size(2)}), clusters);
  }
  return codes;
}

at::Tensor device_pq_decode(const at::Tensor& codes, const at::Tensor& centroids) {
  const at::Tensor clusters = clusters_of(codes, centroids.size(1)).flatten();
  return at::index_select(centroids.flatten(0, 1), 0, clusters)
      .view({codes.size(0), codes.size(1) * centroids.size(2)});
}

}  // namespace knnseq::index
