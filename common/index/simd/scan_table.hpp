// How a look-up table is made, compiled once per instruction set. Include it in the
// scan_kernel_*.cpp files only, after their target pragma: everything here has internal linkage for
// that reason.
#pragma once

#include <cstdint>

#include "index/simd/scan_kernel.hpp"

namespace knnseq::index {

namespace {

/// Works on Lanes::lanes centroids at a time (scan_lanes.hpp).
template <class Lanes>
struct ScanTableMaker {
  static constexpr int lanes = Lanes::lanes;
  using Floats = typename Lanes::Floats;
  using Ints = typename Lanes::Ints;
  using Bytes = typename Lanes::Bytes;

  static Floats load(const float* from) {
    Floats value;
    __builtin_memcpy(&value, from, sizeof(value));
    return value;
  }

  /// Products of one sub-vector with its centroids; its minimum; returns maximum less minimum.
  static float multiply(const ScanTableJob& job, std::int64_t sub_vector) {
    const float* query = job.query + sub_vector * job.query_stride;
    const float* columns = job.columns + sub_vector * job.dsub * 256;
    float* products = job.products + sub_vector * 256;
    Floats lowest = Floats{} + __builtin_inff();
    Floats highest = Floats{} - __builtin_inff();
    for (int j = 0; j < 256; j += lanes) {
      Floats product{};
      for (std::int64_t t = 0; t < job.dsub; ++t) product += query[t] * load(columns + t * 256 + j);
      __builtin_memcpy(products + j, &product, sizeof(product));
      lowest = product < lowest ? product : lowest;
      highest = product > highest ? product : highest;
    }
    for (int lane = 1; lane < lanes; ++lane) {
      lowest[0] = lowest[lane] < lowest[0] ? lowest[lane] : lowest[0];
      highest[0] = highest[lane] > highest[0] ? highest[lane] : highest[0];
    }
    job.minima[sub_vector] = lowest[0];
    return highest[0] - lowest[0];
  }

  static void make(ScanTableJob& job) {
    job.widest = 0;
    for (std::int64_t s = 0; s < job.m; ++s) {
      const float width = multiply(job, s);
      job.widest = width > job.widest ? width : job.widest;
    }
    const float steps = job.widest > least_scan_width ? job.levels / job.widest : 0;
    for (std::int64_t s = 0; s < job.m; ++s) {
      for (int j = 0; j < 256; j += lanes) {
        const Floats above = load(job.products + s * 256 + j) - job.minima[s];
        const Bytes bytes =
            __builtin_convertvector(__builtin_convertvector(above * steps, Ints), Bytes);
        __builtin_memcpy(job.table + s * 256 + j, &bytes, sizeof(bytes));
      }
    }
  }
};

}  // namespace

}  // namespace knnseq::index
