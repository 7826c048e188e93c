// Product-quantiser codes: for each sub-vector of a vector the nearest of its centroids. By the
// kernel of this CPU in pq_codes_cpu.cpp, by tensors of any device (and the kernel of CUDA devices)
// in pq_codes_torch.cpp.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ATen/ATen.h>

#include "gpu/compute_path.hpp"

namespace knnseq::index {

class ClusterSums;

/// Centroids in the order in which the kernels read them: per sub-vector and centroid its squared
/// norm and then its components times −2.
struct PqTables {
  std::int64_t m = 0;
  std::int64_t dsub = 0;
  std::int64_t centroids = 0;  ///< per sub-vector, at most 256
  std::vector<float> packed;   ///< [m, centroids, 1 + dsub]
};

/// centroids: fp32 [m, centroids per sub-vector, dsub], of any device.
PqTables make_pq_tables(const at::Tensor& centroids);

/// A product quantiser, ready to assign codes. Codes do not depend on the number of threads or
/// ranks. By ComputePath::cpu distances stay in registers; they may depend on the instruction set,
/// where FMA rounds otherwise. By ComputePath::torch CUDA devices round as the CPU's FMA kernels;
/// on the CPU, in tests, matrix products are compared instead.
class ProductQuantizer {
 public:
  /// centroids: fp32 [m, count, dsub], count ≤ 256, of any device. Vectors, codes and sums lie on
  /// `device`.
  ProductQuantizer(const at::Tensor& centroids, at::Device device, gpu::ComputePath path)
      : path_(path), tables_(make_pq_tables(centroids)) {
    if (path == gpu::ComputePath::torch) move_to(device, centroids);
  }
  explicit ProductQuantizer(const at::Tensor& centroids)
      : ProductQuantizer(centroids, centroids.device(), gpu::compute_path_on(centroids.device())) {}

  /// For each of the m sub-vectors of x fp32 [n, m · dsub], contiguous, the nearest centroid in
  /// squared L2 distance, ties to the lowest: written to codes uint8 [n, m], contiguous.
  void encode(const at::Tensor& x, const at::Tensor& codes) const {
    path_ == gpu::ComputePath::cpu ? encode_cpu(x, codes) : encode_torch(x, codes);
  }
  at::Tensor encode(const at::Tensor& x) const {
    at::Tensor codes = at::empty({x.size(0), tables_.m}, x.options().dtype(at::kByte));
    encode(x, codes);
    return codes;
  }

  /// encode() of all blocks that adds every sub-vector to the sum of its centroid in the same pass:
  /// cluster s · count + code for sub-vector s. Codes are written where a tensor for each block is
  /// given.
  void encode_and_sum(std::span<const at::Tensor> blocks, ClusterSums& sums,
                      const std::vector<at::Tensor>* codes = nullptr) const {
    path_ == gpu::ComputePath::cpu ? encode_and_sum_cpu(blocks, sums, codes)
                                   : encode_and_sum_torch(blocks, sums, codes);
  }

 private:
  void encode_cpu(const at::Tensor& x, const at::Tensor& codes) const;
  void encode_and_sum_cpu(std::span<const at::Tensor> blocks, ClusterSums& sums,
                          const std::vector<at::Tensor>* codes) const;

  void move_to(at::Device device, const at::Tensor& centroids);
  void encode_torch(const at::Tensor& x, const at::Tensor& codes) const;
  void encode_and_sum_torch(std::span<const at::Tensor> blocks, ClusterSums& sums,
                            const std::vector<at::Tensor>* codes) const;
  void assign(const at::Tensor& x, const at::Tensor& codes, ClusterSums* sums) const;

  gpu::ComputePath path_;
  PqTables tables_;
  // Of ComputePath::torch, on its device:
  at::Tensor centroids_;  ///< [m, count, dsub]
  at::Tensor packed_;     ///< PqTables::packed
};

/// The vectors, fp32 [n, m · dsub], that codes uint8 [n, m] stand for under centroids [m, count,
/// dsub]; on the device of both.
at::Tensor pq_decode_cpu(const at::Tensor& codes, const at::Tensor& centroids);
at::Tensor pq_decode_torch(const at::Tensor& codes, const at::Tensor& centroids);
inline at::Tensor pq_decode(const at::Tensor& codes, const at::Tensor& centroids,
                            gpu::ComputePath path) {
  return path == gpu::ComputePath::cpu ? pq_decode_cpu(codes, centroids)
                                       : pq_decode_torch(codes, centroids);
}
inline at::Tensor pq_decode(const at::Tensor& codes, const at::Tensor& centroids) {
  return pq_decode(codes, centroids, gpu::compute_path_on(codes.device()));
}

}  // namespace knnseq::index
