#include "index/pca.hpp"

#include <tuple>

#include "index/root_tensor.hpp"
#include "index/sample_moments.hpp"

namespace knnseq::index {

at::Tensor train_pca(comm::Communicator& comm, const SampleBlocks& sample, const at::Tensor& means,
                     std::int64_t d_out) {
  const at::Tensor moments = second_moments(comm, sample, means);
  return compute_on_root(comm, {d_out, sample.dim}, [&] {
    const at::Tensor columns = std::get<1>(at::linalg_eigh(moments));  // ascending eigenvalues
    const at::Tensor rows = columns.t().flip(0).narrow(0, 0, d_out);
    const at::Tensor largest = at::argmax(rows.abs(), 1, /*keepdim=*/true);
    return rows * at::sign(rows.gather(1, largest));
  });
}

}  // namespace knnseq::index
