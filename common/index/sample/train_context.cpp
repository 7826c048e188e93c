#include "index/sample/train_context.hpp"

#include "core/error.hpp"

namespace knnseq::index {

void TrainContext::sum(const at::Tensor& values) const {
  KNNSEQ_ASSERT(values.scalar_type() == at::kLong && values.is_contiguous(),
                "exact sums are of int64");
  if (collectives != nullptr) return collectives->all_reduce_sum(values);
  comm.all_reduce(std::span(values.mutable_data_ptr<std::int64_t>(), values.numel()),
                  comm::Reduction::sum);
}

}  // namespace knnseq::index
