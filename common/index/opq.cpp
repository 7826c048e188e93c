#include "index/opq.hpp"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "core/hash.hpp"
#include "index/cross_product.hpp"
#include "index/product_quantizer_training.hpp"
#include "index/root_tensor.hpp"
#include "index/sample_moments.hpp"
#include "index/sample_scale.hpp"
#include "index/sample_selection.hpp"

namespace knnseq::index {

namespace {

/// Eigenvalue allocation: each direction, by descending variance, goes to the sub-vector that has
/// room and the smallest product of variances so far. Returns the order of the directions.
std::vector<std::int64_t> allocate(const std::vector<double>& variances, std::int64_t m) {
  const std::size_t room = variances.size() / static_cast<std::size_t>(m);
  std::vector<std::vector<std::int64_t>> parts(static_cast<std::size_t>(m));
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

/// Σ rotatedᵀ decoded over all rows. Collective.
at::Tensor correlation_of(comm::Communicator& comm, const SampleBlocks& rotated,
                          const std::vector<at::Tensor>& codes, const at::Tensor& centroids) {
  CrossProduct product(rotated, scale_of(comm, rotated).largest,
                       at::abs(centroids).max().item<float>());
  for (std::size_t b = 0; b < codes.size(); ++b) {
    product.add(rotated.blocks[b], pq_decode(codes[b], centroids));
  }
  return product.total(comm, rotated.dim, rotated.dim);
}

}  // namespace

OpqState start_opq(comm::Communicator& comm, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options) {
  const at::Tensor moments = second_moments(comm, sample, means);
  OpqState state;
  state.rotation = compute_on_root(comm, {options.d_out, sample.dim},
                                   [&] { return parametric_rotation(moments, options); });
  return state;
}

OpqState train_opq(comm::Communicator& comm, const SampleBlocks& sample, const at::Tensor& means,
                   const OpqOptions& options, OpqState start,
                   const std::function<void(const OpqState&)>& after_iteration) {
  OpqState state = std::move(start);
  while (state.iterations < options.iterations && !state.settled) {
    const at::Tensor transposed = state.rotation.t();
    const at::Tensor bias = -at::mv(state.rotation, means);
    const SampleBlocks rotated = map_blocks(sample, options.d_out, [&](const at::Tensor& block) {
      return at::addmm(bias, block, transposed);
    });
    const bool first = state.iterations == 0;
    const QuantizerOptions pq{
        options.m, options.centroids, first ? options.first_pq_iterations : options.pq_iterations,
        core::seeded_hash(options.seed, static_cast<std::uint64_t>(state.iterations))};
    const Clustering from = first ? start_product_quantizer(comm, rotated, pq)
                                  : Clustering{state.pq_centroids, 0, 0, 0};
    std::vector<at::Tensor> codes;
    const Clustering quantizer = train_product_quantizer(comm, rotated, pq, from, {}, &codes);
    const at::Tensor correlation = correlation_of(comm, rotated, codes, quantizer.centroids);
    state.rotation = compute_on_root(comm, {options.d_out, sample.dim}, [&] {
      return at::mm(procrustes(correlation), state.rotation.to(at::kDouble));
    });
    const double fallen = state.mean_squared_error - quantizer.mean_squared_error;
    state.settled = !first && fallen < options.tolerance * quantizer.mean_squared_error;
    state.pq_centroids = quantizer.centroids;
    state.mean_squared_error = quantizer.mean_squared_error;
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

}  // namespace knnseq::index
