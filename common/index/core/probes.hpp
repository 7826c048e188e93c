// The inverted lists a query visits.
#pragma once

#include <ATen/ATen.h>

namespace knnseq::index {

struct Probes {
  at::Tensor lists;  ///< int64 [q, nprobe], nearest first
  at::Tensor
      distances;  ///< fp32 [q, nprobe], squared L2 distance to the centroid, or −(inner product)
};

}  // namespace knnseq::index
