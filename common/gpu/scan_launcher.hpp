// Where the scan of inverted lists runs: a CUDA device, or in tests its emulation.
#pragma once

#include <cstdint>
#include <memory>

#include <c10/core/Device.h>

#include "gpu/device.hpp"
#include "gpu/ivfpq_scan.hpp"

namespace knnseq::gpu {

class ScanLauncher {
 public:
  virtual ~ScanLauncher() = default;

  /// Queues the search after what is queued already on libtorch's current stream. All of the job's
  /// memory is device()'s, and must live until it is done. Throws core::SystemError.
  virtual void scan(const ScanJob& job) const = 0;

  virtual c10::Device device() const = 0;
  /// libtorch's current stream on device(), a cudaStream_t; meaningless on the CPU.
  virtual void* stream() const = 0;
  virtual std::int64_t free_bytes() const = 0;  ///< of memory, now
  virtual std::int64_t multiprocessors() const = 0;
  virtual std::int64_t shared_bytes() const = 0;  ///< that a block may have

 protected:
  ScanLauncher() = default;
  ScanLauncher(const ScanLauncher&) = default;
  ScanLauncher& operator=(const ScanLauncher&) = default;
};

/// Of a CUDA device. Throws core::SystemError.
std::unique_ptr<ScanLauncher> make_scan_launcher(const Device& device);

}  // namespace knnseq::gpu
