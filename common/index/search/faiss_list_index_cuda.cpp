#include <numeric>
#include <optional>

#include <faiss/IndexIVFPQ.h>
#include <faiss/gpu/GpuIndexIVFPQ.h>
#include <faiss/gpu/StandardGpuResources.h>
#include <faiss/impl/FaissException.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/faiss_io/faiss_lists.hpp"
#include "index/search/faiss_list_index.hpp"

namespace knnseq::index {

namespace {

/// Shared memory that faiss asks of a block at most, for one look-up table.
constexpr std::int64_t most_table_bytes = std::int64_t{48} << 10;
/// What faiss sets aside on a device for its searches.
constexpr std::int64_t workspace_bytes = std::int64_t{1536} << 20;

/// Lists are given, so the graph over their centroids, which faiss lacks on GPUs, is not needed.
Codebook without_graph(const Codebook& codebook) {
  Codebook plain = codebook;
  plain.spec.coarse_edges = 0;
  plain.coarse_graph = nullptr;
  return plain;
}

bool needs_half_tables(const IndexSpec& spec) {
  return spec.m * spec.centroids() * static_cast<std::int64_t>(sizeof(float)) > most_table_bytes;
}

/// Some versions of faiss can leave the work to another library (RAFT, later cuVS), which does not
/// take lists that are given.
template <class Config>
void keep_to_faiss(Config& config) {
  if constexpr (requires { config.use_cuvs; }) config.use_cuvs = false;
  if constexpr (requires { config.use_raft; }) config.use_raft = false;
}

class FaissListIndexCuda final : public ListIndexTorch {
 public:
  FaissListIndexCuda(const Codebook& codebook, std::span<const std::int64_t> sizes,
                     std::shared_ptr<const gpu::ScanLauncher> launcher,
                     const FaissCudaOptions& options)
      : ListIndexTorch(codebook.spec, std::accumulate(sizes.begin(), sizes.end(), std::int64_t{0}),
                       std::move(launcher)),
        spec_(codebook.spec),
        precomputed_(options.precomputed_tables && spec_.metric == Metric::l2) {
    require_memory(bytes() + workspace_bytes);
    lists_.emplace(without_graph(codebook), sizes);
  }

  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override {
    KNNSEQ_ASSERT(lists_, "lists are filled after they were finished");
    lists_->append(list, codes, ids);
  }

  void finish() override {
    if (entries() > 0) {
      faiss::gpu::GpuIndexIVFPQConfig config;
      config.device = device().index();
      config.indicesOptions = faiss::gpu::INDICES_64_BIT;
      config.useFloat16LookupTables = needs_half_tables(spec_);
      config.usePrecomputedTables = precomputed_;
      keep_to_faiss(config);
      try {
        use_current_stream();
        index_ = std::make_unique<faiss::gpu::GpuIndexIVFPQ>(
            &resources_, dynamic_cast<const faiss::IndexIVFPQ*>(&lists_->index()), config);
      } catch (const faiss::FaissException& problem) {
        throw core::InputError(fmt::format(
            "knn.backend: faiss does not take {} to a GPU ({}); use knn.backend: knnseq",
            spec_.factory(), core::first_line(problem.what())));
      }
    }
    lists_.reset();
  }

  std::int64_t bytes() const override {
    const std::int64_t table_bytes =
        precomputed_ ? spec_.m * spec_.centroids() * (needs_half_tables(spec_) ? 2 : 4) : 0;
    constexpr std::int64_t copies = 2;  // of the coarse centroids
    return entries() * (spec_.code_bytes() + static_cast<std::int64_t>(sizeof(FaissId))) +
           spec_.nlist *
               (copies * spec_.d_out * static_cast<std::int64_t>(sizeof(float)) + table_bytes);
  }

 private:
  void search_some(const at::Tensor& rotated, const Probes& probes,
                   const TopK& out) const override {
    KNNSEQ_ASSERT(index_, "lists are searched before they are all there");
    const std::int64_t k = out.ids.size(1);
    const TopK best = certain_top_k_torch(k, most_faiss_cuda_selection, [&](std::int64_t count) {
      return scan(rotated, probes, count);
    });
    out.distances.copy_(best.distances);
    out.ids.copy_(best.ids);
  }

  TopK scan(const at::Tensor& rotated, const Probes& probes, std::int64_t count) const {
    const bool inner_product = is_inner_product(spec_.metric);
    const at::Tensor centroid_distances =
        inner_product ? probes.distances.neg() : probes.distances;  // faiss takes the products
    const TopK found{at::empty({rotated.size(0), count}, rotated.options()),
                     at::empty({rotated.size(0), count}, probes.lists.options())};
    faiss::IVFSearchParameters parameters;
    parameters.nprobe = static_cast<std::size_t>(probes.lists.size(1));
    try {
      use_current_stream();
      index_->search_preassigned(
          rotated.size(0), rotated.const_data_ptr<float>(), count,
          reinterpret_cast<const FaissId*>(probes.lists.const_data_ptr<std::int64_t>()),
          centroid_distances.const_data_ptr<float>(), found.distances.mutable_data_ptr<float>(),
          reinterpret_cast<FaissId*>(found.ids.mutable_data_ptr<std::int64_t>()),
          /*store_pairs=*/false, &parameters);
    } catch (const faiss::FaissException& problem) {
      throw core::SystemError("faiss's search on the GPU: " + core::first_line(problem.what()));
    }
    const at::Tensor distances = inner_product ? found.distances.neg() : found.distances;
    return {distances.masked_fill(found.ids.lt(0), missing_distance), found.ids};
  }

  void use_current_stream() const {
    resources_.setDefaultStream(device().index(), static_cast<cudaStream_t>(launcher().stream()));
  }

  IndexSpec spec_;
  bool precomputed_;
  std::optional<FaissLists> lists_;  ///< until finish()
  mutable faiss::gpu::StandardGpuResources resources_;
  std::unique_ptr<faiss::gpu::GpuIndexIVFPQ> index_;  ///< from finish() on, if there are entries
};

}  // namespace

bool has_faiss_cuda() { return true; }

std::unique_ptr<ListIndexTorch> make_faiss_list_index_cuda(
    const Codebook& codebook, std::span<const std::int64_t> sizes,
    std::shared_ptr<const gpu::ScanLauncher> launcher, const FaissCudaOptions& options) {
  return std::make_unique<FaissListIndexCuda>(codebook, sizes, std::move(launcher), options);
}

}  // namespace knnseq::index
