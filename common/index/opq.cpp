#include "index/opq.hpp"

#include <tuple>
#include <utility>
#include <vector>

#include "core/random.hpp"
#include "index/product_quantizer_training.hpp"
#include "index/root_tensor.hpp"
#include "index/sample_moments.hpp"
#include "index/sample_selection.hpp"

namespace knnseq::index {

namespace {

at::Tensor random_rotation(std::int64_t d_in, std::int64_t d_out, std::uint64_t seed) {
  core::Random random(seed);
  std::vector<double> normals(static_cast<std::size_t>(d_in * d_in));
  for (double& value : normals) value = random.normal();
  const at::Tensor orthonormal = std::get<0>(at::linalg_qr(double_matrix(normals, d_in, d_in)));
  return orthonormal.t().narrow(0, 0, d_out);
}

/// The rotation R that maximises the trace of R·correlation, correlation = Σ xᵀ y [d_in, d_out].
at::Tensor procrustes(const at::Tensor& correlation) {
  const auto [u, values, v] = at::linalg_svd(correlation, /*full_matrices=*/false);
  return at::mm(u, v).t();
}

}  // namespace

OpqState start_opq(comm::Communicator& comm, std::int64_t d_in, const OpqOptions& options) {
  OpqState state;
  state.rotation = compute_on_root(comm, {options.d_out, d_in}, [&] {
    return random_rotation(d_in, options.d_out, options.seed);
  });
  return state;
}

OpqState train_opq(comm::Communicator& comm, const SampleBlocks& sample, const OpqOptions& options,
                   OpqState start, const std::function<void(const OpqState&)>& after_iteration) {
  OpqState state = std::move(start);
  if (state.iterations >= options.iterations) return state;
  const SampleBlocks x = centred(sample, column_means(comm, sample));
  while (state.iterations < options.iterations) {
    const at::Tensor transposed = state.rotation.t();
    const SampleBlocks rotated = map_blocks(
        x, options.d_out, [&](const at::Tensor& block) { return at::mm(block, transposed); });
    const bool first = state.iterations == 0;
    const auto seed = core::seeded_hash(options.seed, static_cast<std::uint64_t>(state.iterations));
    const Clustering quantizer = train_product_quantizer(
        comm, rotated, {first ? options.first_pq_iterations : options.pq_iterations, seed},
        first ? start_product_quantizer(comm, rotated, options.m, options.seed)
              : Clustering{state.pq_centroids, 0, 0, 0});
    const SampleBlocks decoded = map_blocks(rotated, options.d_out, [&](const at::Tensor& block) {
      return pq_decode(pq_encode(block, quantizer.centroids), quantizer.centroids);
    });
    const at::Tensor correlation = cross_product(comm, x, decoded);
    state.rotation =
        compute_on_root(comm, {options.d_out, sample.dim}, [&] { return procrustes(correlation); });
    state.pq_centroids = quantizer.centroids;
    state.mean_squared_error = quantizer.mean_squared_error;
    ++state.iterations;
    if (after_iteration) after_iteration(state);
  }
  return state;
}

}  // namespace knnseq::index
