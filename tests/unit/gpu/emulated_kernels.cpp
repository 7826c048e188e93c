#include "support/emulated_pq_codes.hpp"
#include "support/emulated_scan.hpp"
#include "support/kernels_under_test.hpp"

namespace knnseq::test {

std::shared_ptr<const gpu::ScanLauncher> launcher_under_test() {
  return std::make_shared<EmulatedScanLauncher>();
}

void run_pq_codes(const gpu::PqCodesJob& job, unsigned row_blocks) {
  emulate_pq_codes(job, row_blocks);
}

}  // namespace knnseq::test
