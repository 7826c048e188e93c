#if defined(__x86_64__) && !defined(__clang__)
#pragma GCC target("avx512f,avx512bw,avx512vl,avx512vbmi,fma")
#include "index/simd/adc_kernel_body.hpp"
#include "index/simd/scan_lanes.hpp"

namespace knnseq::index {

const AdcKernel adc_kernel_avx512 = {"avx512", AdcLoops<ScanLanes16>::make_table,
                                     AdcLoops<ScanLanes16>::find_minima, &scan_kernel_avx512};

}  // namespace knnseq::index
#endif
