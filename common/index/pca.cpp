#include "index/pca.hpp"

#include <tuple>

#include "index/root_tensor.hpp"
#include "index/sample_moments.hpp"

namespace knnseq::index {

namespace {

at::Tensor leading_eigenvectors(const at::Tensor& covariance, std::int64_t count) {
  const at::Tensor columns = std::get<1>(at::linalg_eigh(covariance));  // ascending eigenvalues
  const at::Tensor rows = columns.t().flip(0).narrow(0, 0, count);
  const at::Tensor largest = at::argmax(rows.abs(), 1, /*keepdim=*/true);
  return rows * at::sign(rows.gather(1, largest));
}

}  // namespace

Pca train_pca(comm::Communicator& comm, const SampleBlocks& sample, std::int64_t d_out) {
  const at::Tensor means = column_means(comm, sample);
  const SampleBlocks x = centred(sample, means);
  const at::Tensor scatter = cross_product(comm, x, x);
  Pca pca;
  pca.rotation = compute_on_root(comm, {d_out, sample.dim}, [&] {
    return leading_eigenvectors((scatter + scatter.t()) / 2, d_out);
  });
  pca.bias = compute_on_root(
      comm, {d_out}, [&] { return -at::mv(pca.rotation.to(at::kDouble), means.to(at::kDouble)); });
  return pca;
}

}  // namespace knnseq::index
