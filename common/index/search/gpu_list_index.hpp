// Inverted lists of product-quantiser codes in a device's memory, and the search in them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "gpu/scan_launcher.hpp"
#include "index/search/device_lists.hpp"
#include "index/search/scan_centroids.hpp"

namespace knnseq::index {

struct GpuScanOptions {
  bool inner_product = false;
  /// Look-up tables in fp16; fp32 is there to check it, and takes twice the shared memory.
  bool half_tables = true;
  /// Blocks a query; 0: as suits the device. Of no influence on results.
  std::int64_t splits = 0;
};

/// IvfPqScan's distances, by gpu::ScanJob's kernels: see there how exact the choice of neighbours
/// is. Lists are gathered in host memory; finish() copies them to the device, at M + 12 bytes an
/// entry (lists are filled up to multiples of 32). Not collective.
class GpuListIndex final : public DeviceLists {
 public:
  /// Room for lists of these sizes [nlist]; codes have 8 bits a sub-vector.
  /// Throws core::InputError, saying what would fit, where the device has too little free memory.
  GpuListIndex(const Codebook& codebook, std::span<const std::int64_t> list_sizes,
               std::shared_ptr<const gpu::ScanLauncher> launcher, const GpuScanOptions& options);

  /// Calls for different lists may run at the same time.
  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override;
  void finish() override;

  std::int64_t bytes() const override;  ///< of the device's memory

 private:
  /// Throws core::InputError where k is more than gpu::most_scan_k.
  void search_some(const at::Tensor& rotated, const Probes& probes,
                   const DeviceTopK& out) const override;
  gpu::ScanPlan plan(const Probes& probes, std::int64_t k) const;

  GpuScanOptions options_;
  at::Tensor coarse_centroids_;
  ScanCentroids centroids_;
  std::int64_t chunk_bytes_;
  std::int64_t padded_m_;
  std::vector<std::int64_t> sizes_;  ///< [nlist], of what was appended
  bool finished_ = false;
  // On the host until finish(), then on the device: see gpu::DeviceScanLists.
  at::Tensor first_groups_;
  at::Tensor codes_;
  at::Tensor terms_;
  at::Tensor ids_;
  at::Tensor rows_;  ///< of centroids
  float radius_ = 0;
};

}  // namespace knnseq::index
