// What programs that were built without CUDA link in place of the *_cuda files: there are no
// devices, and what needs one refuses. place_rank() keeps users from getting that far.
#include "core/error.hpp"
#include "gpu/collectives.hpp"
#include "gpu/device.hpp"
#include "gpu/device_memory.hpp"
#include "gpu/ivfpq_scan.hpp"
#include "gpu/pq_codes.hpp"
#include "gpu/scan_launcher.hpp"

namespace knnseq::gpu {

namespace {

[[noreturn]] void refuse(const char* what) {
  throw core::SystemError(std::string(what) +
                          " needs a program that was built with -DKNNSEQ_CUDA=ON (knnseq-cuda)");
}

}  // namespace

bool built_with_cuda() { return false; }
std::vector<DeviceFacts> visible_devices() { return {}; }
std::string nccl_version() { return {}; }

void use_device(int /*index*/) { refuse("a CUDA device"); }
void* current_stream(int /*index*/) { refuse("a CUDA stream"); }
std::int64_t free_device_bytes(int /*index*/) { refuse("a CUDA device's memory"); }
std::int64_t peak_device_bytes(int /*index*/) { refuse("a CUDA device's memory"); }

std::unique_ptr<Collectives> make_nccl_collectives(comm::Communicator& /*comm*/,
                                                   const Device& /*device*/,
                                                   double /*timeout_seconds*/) {
  refuse("NCCL");
}

void assign_pq_codes(const PqCodesJob& /*job*/) { refuse("PQ codes on a CUDA device"); }

void launch_ivfpq_scan(const ScanJob& /*job*/, void* /*stream*/) { refuse("a CUDA scan"); }

std::unique_ptr<ScanLauncher> make_scan_launcher(const Device& /*device*/) {
  refuse("a CUDA scan");
}

}  // namespace knnseq::gpu
