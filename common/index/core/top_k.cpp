#include "index/core/top_k.hpp"

#include "core/error.hpp"

namespace knnseq::index {

TopKRow TopK::row(std::int64_t query) const {
  KNNSEQ_ASSERT(distances.is_contiguous() && ids.is_contiguous(), "rows are contiguous");
  const auto columns = static_cast<std::size_t>(k());
  return {{distances.const_data_ptr<float>() + query * k(), columns},
          {ids.const_data_ptr<std::int64_t>() + query * k(), columns}};
}

void TopK::set_row(std::int64_t query, std::span<const Neighbour> neighbours) const {
  auto* distance = distances.mutable_data_ptr<float>() + query * k();
  auto* id = ids.mutable_data_ptr<std::int64_t>() + query * k();
  for (const Neighbour& neighbour : neighbours) {
    *distance++ = neighbour.distance;
    *id++ = neighbour.id;
  }
}

TopK missing_top_k(std::int64_t queries, std::int64_t k, at::Device device) {
  const auto options = at::TensorOptions().device(device);
  return {at::full({queries, k}, missing_distance, options.dtype(at::kFloat)),
          at::full({queries, k}, missing_id, options.dtype(at::kLong))};
}

}  // namespace knnseq::index
