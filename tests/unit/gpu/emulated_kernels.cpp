#include "support/emulated_pq_assign.hpp"
#include "support/emulated_scan.hpp"
#include "support/kernels_under_test.hpp"

namespace knnseq::test {

std::shared_ptr<const gpu::ScanLauncher> launcher_under_test() {
  return std::make_shared<EmulatedScanLauncher>();
}

void run_pq_assign(const gpu::PqAssignJob& job, unsigned row_blocks) {
  emulate_pq_assign(job, row_blocks);
}

}  // namespace knnseq::test
