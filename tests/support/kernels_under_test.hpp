// The kernels that a test program runs: on a GPU, or emulated on the host. Programs link one
// implementation, and the same tests.
#pragma once

#include <memory>

#include "gpu/pq_codes.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::test {

std::shared_ptr<const gpu::ScanLauncher> launcher_under_test();

/// A job in host memory. row_blocks: blocks a sub-vector, if that can be chosen.
void run_pq_codes(const gpu::PqCodesJob& job, unsigned row_blocks);

}  // namespace knnseq::test
