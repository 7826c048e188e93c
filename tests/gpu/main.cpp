// Catch2 if there is a GPU; elsewhere exit code 77 and the reason.
#include <cstdio>

#include "gpu/device.hpp"
#include "support/run_tests.hpp"

int main(int argc, char** argv) {
  if (knnseq::gpu::visible_devices().empty()) {
    std::puts("skipped: this machine has no GPU, or its driver does not run");
    return 77;
  }
  return knnseq::test::run_tests(argc, argv);
}
