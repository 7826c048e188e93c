// The k nearest entries of some queries, as tensors of whatever device.
#pragma once

#include <cstdint>
#include <functional>

#include <ATen/ATen.h>

#include "index/core/top_k.hpp"

namespace knnseq::index {

/// A TopK whose rows stay on the device.
struct DeviceTopK {
  at::Tensor distances;  ///< fp32 [q, k]; missing_distance where there are fewer
  at::Tensor ids;        ///< int64 [q, k], packed entry ids; missing_id where there are fewer
};

/// The best k of each row by (distance, entry number), missing ones last; in any order before.
/// Neither waits for the device nor for the host.
DeviceTopK best_of(const DeviceTopK& candidates, std::int64_t k);

/// certain_top_k() for all queries at once: `scan(count)` returns `count` of the nearest
/// neighbours of each query, nearest first, of equal distances any; no more than `most` are asked
/// for, so that of more equal ones than these whichever `scan` took are kept. Waits for the device,
/// to see whether a cut fell into a tie.
DeviceTopK certain_device_top_k(std::int64_t k, std::int64_t most,
                                const std::function<DeviceTopK(std::int64_t)>& scan);

/// The same in the host's memory. Waits for the device.
TopK to_host(const DeviceTopK& found);

}  // namespace knnseq::index
