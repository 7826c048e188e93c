// The kernels that a test program runs: on a GPU, or emulated on the host. Programs link one
// implementation, and the same tests.
#pragma once

#include <memory>

#include "gpu/pq_assign.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::test {

std::shared_ptr<const gpu::ScanLauncher> launcher_under_test();

/// A job in host memory. row_blocks: blocks a sub-vector, where that can be chosen.
void run_pq_assign(const gpu::PqAssignJob& job, unsigned row_blocks);

}  // namespace knnseq::test
