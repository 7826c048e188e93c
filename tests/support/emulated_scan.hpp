// The scan's kernels on the host.
#pragma once

#include "gpu/scan_launcher.hpp"
#include "support/cuda_emulation.hpp"
// after the emulation:
#include "gpu/ivfpq_scan_kernel.cuh"

namespace knnseq::test {

/// As launch_ivfpq_scan(), whose memory is the host's.
class EmulatedScanLauncher final : public gpu::ScanLauncher {
 public:
  explicit EmulatedScanLauncher(std::int64_t free_bytes = std::int64_t{1} << 40)
      : free_bytes_(free_bytes) {}

  void scan(const gpu::ScanJob& job) const override {
    if (job.plan.half_tables) {
      scan_with<__half>(job);
    } else {
      scan_with<float>(job);
    }
  }

  c10::Device device() const override { return c10::DeviceType::CPU; }
  void* stream() const override { return nullptr; }
  std::int64_t free_bytes() const override { return free_bytes_; }
  std::int64_t multiprocessors() const override { return 4; }
  std::int64_t shared_bytes() const override { return 100 << 10; }

 private:
  template <class Table>
  static void scan_with(const gpu::ScanJob& job) {
    const auto q = static_cast<unsigned>(job.queries.q);
    const auto run = [](cuda_emulation::Dim3 grid, std::int64_t shared, const auto& body) {
      cuda_emulation::launch({grid, gpu::scan_threads, static_cast<std::size_t>(shared)},
                             [&] { body(cuda_emulation::shared_memory()); });
    };
    run({static_cast<unsigned>(job.lists.padded_m),
         (q + gpu::table_queries - 1) / gpu::table_queries, 1},
        gpu::table_queries * 4,
        [&](unsigned char* shared) { gpu::make_scan_tables<Table>(job, shared); });
    run({q, static_cast<unsigned>(job.plan.splits), 1},
        gpu::scan_shared_bytes(job.lists.padded_m, job.queries.nprobe, job.plan),
        [&](unsigned char* shared) {
          if (job.lists.chunk_bytes == 16) {
            gpu::scan_groups<Table, 16>(job, shared);
          } else {
            gpu::scan_groups<Table, 4>(job, shared);
          }
        });
    run({q, 1, 1}, gpu::merge_shared_bytes(job.plan),
        [&](unsigned char* shared) { gpu::merge_candidates(job, shared); });
  }

  std::int64_t free_bytes_;
};

}  // namespace knnseq::test
