// Catch2 if there is a GPU; elsewhere exit code 77 and the reason.
#define CATCH_CONFIG_RUNNER
#include <cstdio>

#include <catch2/catch.hpp>

#include "gpu/device.hpp"

int main(int argc, char** argv) {
  if (knnseq::gpu::visible_devices().empty()) {
    std::puts("skipped: this machine has no GPU, or its driver does not run");
    return 77;
  }
  return Catch::Session().run(argc, argv);
}
