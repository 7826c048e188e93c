// The neighbours of some queries, as the distribution over tokens takes them.
#pragma once

#include <ATen/ATen.h>

#include "index/core/top_k.hpp"

namespace knnseq::retrieval {

struct Neighbours {
  at::Tensor scores;  ///< fp32 [q, k]: −(squared distance) or inner product; −inf where missing
  at::Tensor ids;     ///< int64 [q, k]: packed entry ids; −1 where missing
};

/// Scores are distances with their sign turned.
Neighbours to_neighbours(const index::TopK& found);

/// The same on the CPU; themselves where they are there.
Neighbours to_host(const Neighbours& neighbours);

}  // namespace knnseq::retrieval
