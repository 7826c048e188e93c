#include "gpu/collectives.hpp"

#include <numeric>

#include <ATen/ATen.h>

#include "core/error.hpp"

namespace knnseq::gpu {

void Collectives::all_reduce_sum(const at::Tensor& values) {
  const auto type = values.scalar_type();
  KNNSEQ_ASSERT(type == at::kLong || type == at::kDouble || type == at::kFloat,
                "sums are of int64, double or float");
  KNNSEQ_ASSERT(values.is_contiguous(), "collectives take contiguous tensors");
  if (values.numel() > 0) sum_in_place(values);
}

void Collectives::broadcast(const at::Tensor& values, int root) {
  KNNSEQ_ASSERT(values.is_contiguous(), "collectives take contiguous tensors");
  KNNSEQ_ASSERT(root >= 0 && root < size(), "the root is one of the ranks");
  if (values.numel() > 0) broadcast_in_place(values, root);
}

at::Tensor Collectives::all_gather(const at::Tensor& mine) {
  KNNSEQ_ASSERT(mine.is_contiguous(), "collectives take contiguous tensors");
  std::vector<std::int64_t> shape = {size()};
  shape.insert(shape.end(), mine.sizes().begin(), mine.sizes().end());
  const at::Tensor all = at::empty(shape, mine.options());
  if (mine.numel() > 0) gather_into(all, mine);
  return all;
}

ReceivedRows Collectives::all_to_all(const at::Tensor& rows, std::span<const std::int64_t> counts) {
  KNNSEQ_ASSERT(rows.is_contiguous(), "collectives take contiguous tensors");
  KNNSEQ_ASSERT(std::ssize(counts) == size(), "one count a rank");
  KNNSEQ_ASSERT(rows.dim() >= 1 &&
                    std::accumulate(counts.begin(), counts.end(), std::int64_t{0}) == rows.size(0),
                "the counts are of all rows");
  return exchange_rows(rows, counts);
}

std::unique_ptr<Collectives> make_collectives(comm::Communicator& comm, const Placement& placement,
                                              double timeout_seconds) {
  if (!placement.device.cuda || placement.shares_gpu || comm.size() == 1) {
    return make_host_collectives(comm);
  }
  return make_nccl_collectives(comm, placement.device, timeout_seconds);
}

}  // namespace knnseq::gpu
