#include "index/train/pca.hpp"

#include <tuple>

#include <fmt/format.h>

#include "core/error.hpp"
#include "index/sample/root_tensor.hpp"
#include "index/train/sample_moments.hpp"

namespace knnseq::index {

namespace {

/// What each component is divided by, [d_out, 1]; `moments` in descending order.
at::Tensor scales(const at::Tensor& moments, std::int64_t d_out) {
  const at::Tensor most = moments[0] * 1e-6;
  const auto usable = (moments > most).sum().item<std::int64_t>();
  if (usable < d_out) {
    throw core::InputError(
        fmt::format("PCAW{}: the training vectors vary in {} directions only", d_out, usable));
  }
  return at::sqrt(moments.narrow(0, 0, d_out)).unsqueeze(1);
}

}  // namespace

at::Tensor train_pca(const TrainContext& context, const SampleBlocks& sample,
                     const at::Tensor& means, std::int64_t d_out, bool whitened) {
  const at::Tensor moments = second_moments(context, sample, means);
  return compute_on_root(context.comm, {d_out, sample.dim}, [&] {
    const auto [ascending, columns] = at::linalg_eigh(moments);
    const at::Tensor rows = columns.t().flip(0).narrow(0, 0, d_out);
    const at::Tensor largest = at::argmax(rows.abs(), 1, /*keepdim=*/true);
    const at::Tensor directed = rows * at::sign(rows.gather(1, largest));
    return whitened ? directed / scales(ascending.flip(0), d_out) : directed;
  });
}

}  // namespace knnseq::index
