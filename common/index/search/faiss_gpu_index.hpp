// faiss's own index for GPUs, in programs whose faiss was built with it: CMake chooses between two
// implementations (KNNSEQ_FAISS_GPU).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "index/search/device_lists.hpp"

namespace knnseq::index {

/// Neighbours of a query, and lists it looks into, at most.
inline constexpr std::int64_t most_faiss_gpu_selection = 2048;

struct FaissGpuOptions {
  /// Sums for each list are made once instead of once a query, which takes M · 1 KiB a list (half
  /// of it with fp16 tables). Only for L2; faiss then makes the queries' part by a matrix product,
  /// so that distances may round otherwise with other queries beside.
  bool precomputed_tables = false;
};

/// Whether this program's faiss was built for GPUs.
bool has_faiss_gpu_index();

/// Room for lists of PQ codes of these sizes ([nlist]), which finish() copies to the launcher's
/// device, at M + 8 bytes an entry. Look-up tables are fp16 where fp32 ones are too large for
/// faiss (more than 48 sub-vectors), and its distances are their sums. A search waits for the
/// device, and keeps whichever entries faiss saw first where more than most_faiss_gpu_selection − k
/// are as near as the k-th. Of the launcher nothing but device, stream and memory is asked.
/// The constructor throws core::InputError where the device has too little free memory, finish()
/// where faiss does not search such codes on GPUs; a search core::SystemError.
std::unique_ptr<DeviceLists> make_faiss_gpu_index(const Codebook& codebook,
                                                  std::span<const std::int64_t> sizes,
                                                  std::shared_ptr<const gpu::ScanLauncher> launcher,
                                                  const FaissGpuOptions& options = {});

}  // namespace knnseq::index
