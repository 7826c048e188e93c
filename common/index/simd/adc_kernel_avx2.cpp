#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx2,fma")
#include "index/simd/adc_kernel_body.hpp"
#include "index/simd/scan_lanes.hpp"

namespace knnseq::index {

const AdcKernel adc_kernel_avx2 = {"avx2", AdcLoops<ScanLanes8>::make_table,
                                   AdcLoops<ScanLanes8>::find_minima, &scan_kernel_avx2};

}  // namespace knnseq::index
#endif
