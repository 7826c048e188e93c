#include "index/train/opq.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/hash.hpp"
#include "index/quantize/pq_codes.hpp"
#include "index/sample/cross_product.hpp"
#include "index/sample/root_tensor.hpp"
#include "index/sample/sample_scale.hpp"
#include "index/sample/sample_selection.hpp"
#include "index/train/product_quantizer_training.hpp"
#include "index/train/sample_moments.hpp"

namespace knnseq::index {

namespace {

/// Eigenvalue allocation: each direction, by descending variance, goes to the sub-vector that has
/// room and the smallest product of variances so far. Returns the order of the directions.
std::vector<std::int64_t> allocate(const std::vector<double>& variances, std::int64_t m) {
  const std::size_t room = variances.size() / static_cast<std::size_t>(m);
  std::vector<std::vector<std::int64_t>> parts(m);
  std::vector<double> log_products(parts.size(), 0);
  const double least = std::max(variances.front() * 1e-12, 1e-300);
  for (std::size_t direction = 0; direction < variances.size(); ++direction) {
    std::size_t chosen = 0;
    while (parts[chosen].size() == room) ++chosen;
    for (std::size_t part = chosen + 1; part < parts.size(); ++part) {
      if (parts[part].size() < room && log_products[part] < log_products[chosen]) chosen = part;
    }
    parts[chosen].push_back(static_cast<std::int64_t>(direction));
    log_products[chosen] += std::log(std::max(variances[direction], least) / least);
  }
  std::vector<std::int64_t> order;
  for (const auto& part : parts) order.insert(order.end(), part.begin(), part.end());
  return order;
}

at::Tensor parametric_rotation(const at::Tensor& covariance, const OpqOptions& options) {
  const auto [values, columns] = at::linalg_eigh(covariance);  // ascending
  const at::Tensor variances = values.flip(0).narrow(0, 0, options.d_out).contiguous();
  const double* data = variances.const_data_ptr<double>();
  const auto order = allocate({data, data + options.d_out}, options.m);
  return at::index_select(columns.t().flip(0), 0, at::tensor(order, at::kLong));
}

/// The rotation R that maximises the trace of R·correlation, correlation = Σ yᵀ decoded.
at::Tensor procrustes(const at::Tensor& correlation) {
  const auto [u, values, v] = at::linalg_svd(correlation, /*full_matrices=*/false);
  return at::mm(u, v).t();
}

/// Σ rotatedᵀ decoded over all rows, fp64 on the host; `largest` magnitude of the rotated rows.
/// Collective.
at::Tensor correlation_of(const TrainContext& context, const SampleBlocks& rotated, double largest,
                          const std::vector<at::Tensor>& codes, const at::Tensor& centroids) {
  CrossProduct product(context, rotated, largest, at::abs(centroids).max().item<float>());
  for (std::size_t b = 0; b < codes.size(); ++b) {
    product.add(rotated.blocks[b], pq_decode(codes[b], centroids, context.path));
  }
  return product.total(rotated.dim, rotated.dim);
}

/// The sample less its means, rotated. Its memory is reused each time: the system clears every
/// page that it gives out.
class RotatedSample {
 public:
  RotatedSample(const SampleBlocks& sample, std::int64_t d_out)
      : sample_(sample), rotated_(sample) {
    rotated_.dim = d_out;
    for (at::Tensor& block : rotated_.blocks) {
      block = at::empty({block.size(0), d_out}, block.options().dtype(at::kFloat));
    }
  }

  const SampleBlocks& rotate(const at::Tensor& rotation, const at::Tensor& means) {
    const at::Tensor transposed = rotation.t();
    const at::Tensor bias = -at::mv(rotation, means);
    for (std::size_t b = 0; b < rotated_.blocks.size(); ++b) {
      at::addmm_out(rotated_.blocks[b], bias, sample_.blocks[b].to(at::kFloat).contiguous(),
                    transposed);
    }
    return rotated_;
  }

 private:
  const SampleBlocks& sample_;
  SampleBlocks rotated_;
};

}  // namespace

OpqState start_opq(const TrainContext& context, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options) {
  const at::Tensor moments = second_moments(context, sample, means);
  OpqState state;
  state.rotation = compute_on_root(context.comm, {options.d_out, sample.dim},
                                   [&] { return parametric_rotation(moments, options); });
  return state;
}

OpqState train_opq(const TrainContext& context, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options, OpqState start,
                   const std::function<void(const OpqState&)>& after_iteration) {
  OpqState state = std::move(start);
  RotatedSample rotated_sample(sample, options.d_out);
  while (state.iterations < options.iterations && !state.converged) {
    const SampleBlocks& rotated = rotated_sample.rotate(state.rotation.to(context.device), means);
    const bool first = state.iterations == 0;
    const QuantizerOptions pq{
        options.m, options.centroids, first ? options.first_pq_iterations : options.pq_iterations,
        core::seeded_hash(options.seed, static_cast<std::uint64_t>(state.iterations))};
    const Clustering from = first ? start_product_quantizer(context, rotated, pq)
                                  : Clustering{state.pq_centroids.to(context.device), 0, 0, 0};
    const SampleScale scale = scale_of(context, rotated);
    std::vector<at::Tensor> codes;
    const Clustering quantizer =
        train_product_quantizer(context, {rotated, scale}, pq, from, {}, &codes);
    const at::Tensor correlation =
        correlation_of(context, rotated, scale.largest, codes, quantizer.centroids);
    state.rotation = compute_on_root(context.comm, {options.d_out, sample.dim}, [&] {
      return at::mm(procrustes(correlation), state.rotation.to(at::kDouble));
    });
    const double fallen = state.mean_squared_error - quantizer.mean_squared_error;
    state.converged = !first && fallen < options.tolerance * quantizer.mean_squared_error;
    state.pq_centroids = quantizer.centroids.cpu();
    state.mean_squared_error = quantizer.mean_squared_error;
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

}  // namespace knnseq::index
