#include "index/simd/adc_kernel_body.hpp"
#include "index/simd/scan_lanes.hpp"

namespace knnseq::index {

const AdcKernel adc_kernel_baseline = {"baseline", AdcLoops<ScanLanes4>::make_table,
                                       AdcLoops<ScanLanes4>::find_minima, &scan_kernel_baseline};

}  // namespace knnseq::index
