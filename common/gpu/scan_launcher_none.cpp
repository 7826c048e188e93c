// What a build without CUDA says of launchers.
#include "core/error.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::gpu {

std::unique_ptr<ScanLauncher> make_scan_launcher(const Device& /*device*/) {
  KNNSEQ_ASSERT(false, "this build knows no devices");
}

}  // namespace knnseq::gpu
