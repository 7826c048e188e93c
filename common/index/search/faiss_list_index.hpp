// Inverted lists that faiss searches: on the CPU in faiss_list_index_cpu.cpp, on a GPU in
// faiss_list_index_cuda.cpp. Programs whose faiss was built without GPUs have without_faiss_gpu.cpp
// in place of the latter (KNNSEQ_FAISS_GPU).
#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "index/search/list_index_torch.hpp"

namespace knnseq::index {

/// Lists of these sizes ([nlist], most that append() will bring) on the CPU.
std::unique_ptr<ListIndex> make_faiss_list_index(const Codebook& codebook,
                                                 std::span<const std::int64_t> sizes);

/// On GPUs: neighbours of a query, and lists it looks into, at most.
inline constexpr std::int64_t most_faiss_cuda_selection = 2048;

struct FaissCudaOptions {
  /// Sums for each list are made once instead of once a query, which takes M · 1 KiB a list (half
  /// of it with fp16 tables). Only for L2; faiss then makes the queries' part by a matrix product,
  /// so that the other queries of a batch may change how distances round.
  bool precomputed_tables = false;
};

/// Whether this program's faiss was built for GPUs.
bool has_faiss_cuda();

/// Room for lists of PQ codes of these sizes ([nlist]), which finish() copies to the launcher's
/// device, at M + 8 bytes an entry. Look-up tables are fp16 if fp32 ones are too large for faiss
/// (more than 48 sub-vectors), and its distances are their sums. A search waits for the device. If
/// more than most_faiss_cuda_selection − k entries are as near as the k-th, it keeps those that
/// faiss saw first. Only the launcher's device, stream and memory are used. The constructor throws
/// core::InputError if the device has too little free memory, finish() if faiss does not search
/// such codes on GPUs; a search throws core::SystemError.
std::unique_ptr<ListIndexTorch> make_faiss_list_index_cuda(
    const Codebook& codebook, std::span<const std::int64_t> sizes,
    std::shared_ptr<const gpu::ScanLauncher> launcher, const FaissCudaOptions& options = {});

}  // namespace knnseq::index
