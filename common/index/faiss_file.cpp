#include "index/faiss_file.hpp"

#include <cstring>

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>

#include "core/error.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

at::Tensor tensor_of(const float* data, at::IntArrayRef shape) {
  at::Tensor result = at::empty(shape, at::kFloat);
  std::memcpy(result.mutable_data_ptr<float>(), data, result.nbytes());
  return result;
}

/// Takes a codebook out of what faiss read. faiss trusts the file in much; this does not.
class FileReader {
 public:
  FileReader(const std::filesystem::path& path, FaissFile& file) : path_(path), file_(file) {}

  void read() {
    unwrap();
    const faiss::Index& core = *file_.core;
    require(core.is_trained && core.d > 0 && core.ntotal >= 0, "is not trained or damaged");
    spec().d_in = core.d;
    spec().d_out = core.d;
    if (core.metric_type == faiss::METRIC_INNER_PRODUCT) {
      spec().metric = Metric::ip;
    } else {
      require(core.metric_type == faiss::METRIC_L2, "its metric is neither L2 nor inner product");
    }
    read_storage();
    if (chain_ != nullptr) read_transforms();
    codebook().check(path_.string());
  }

 private:
  void require(bool holds, const std::string& message) const {
    if (!holds) throw core::InputError(path_, message);
  }
  Codebook& codebook() { return file_.codebook; }
  IndexSpec& spec() { return file_.codebook.spec; }

  void unwrap() {
    file_.core = file_.index.get();
    if (auto* outer = dynamic_cast<faiss::IndexPreTransform*>(file_.core)) {
      chain_ = &outer->chain;
      file_.core = outer->index;
    }
    if (auto* map = dynamic_cast<faiss::IndexIDMap*>(file_.core)) {
      file_.core = map->index;
      file_.ids.swap(map->id_map);
      if (auto* both = dynamic_cast<faiss::IndexIDMap2*>(map)) both->rev_map.clear();
      require(std::cmp_equal(file_.ids.size(), file_.core->ntotal), "its ids are damaged");
    }
    require(file_.core != nullptr, "holds no index");
  }

  void read_storage() {
    faiss::Index* core = file_.core;
    file_.lists = dynamic_cast<faiss::IndexIVF*>(core);
    const auto* flat_lists = dynamic_cast<const faiss::IndexIVFFlat*>(core);
    const auto* pq_lists = dynamic_cast<const faiss::IndexIVFPQ*>(core);
    if (file_.lists != nullptr && (flat_lists != nullptr || pq_lists != nullptr)) {
      if (flat_lists != nullptr) spec().storage = Storage::flat;
      if (pq_lists != nullptr) {
        require(pq_lists->by_residual, "its codes are not of residuals");
        read_quantizer(pq_lists->pq, 8);
      }
      read_coarse();
      require_whole_lists();
    } else if (const auto* pq = dynamic_cast<const faiss::IndexPQ*>(core)) {
      read_quantizer(pq->pq, 8);
      require(pq->codes.size() == static_cast<std::size_t>(pq->ntotal) * pq->code_size,
              "is truncated");
    } else if (const auto* fast = dynamic_cast<const faiss::IndexPQFastScan*>(core)) {
      spec().storage = Storage::pq_fast_scan;
      read_quantizer(fast->pq, 4);
    } else if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(core)) {
      spec().storage = Storage::hnsw;
      spec().edges = edges_of(*graph);
      vectors_of(*graph);
    } else {
      const auto* flat = dynamic_cast<const faiss::IndexFlat*>(core);
      require(flat != nullptr,
              "is of a type that is not supported: it is none of Flat, PQm, "
              "PQmx4fs, HNSWk, IVFn,Flat and IVFn,PQm");
      spec().storage = Storage::flat;
      require_vectors(*flat);
    }
  }

  void read_quantizer(const faiss::ProductQuantizer& pq, std::size_t nbits) {
    const auto m = static_cast<std::int64_t>(pq.M);
    require(pq.nbits == nbits && m > 0 && spec().d_out % m == 0 &&
                std::cmp_equal(pq.d, spec().d_out) && std::cmp_equal(pq.ksub, 1 << nbits) &&
                pq.code_size == (pq.M * nbits + 7) / 8 &&
                std::cmp_equal(pq.centroids.size(), spec().d_out << nbits),
            "its product quantiser is damaged or does not have " + std::to_string(nbits) + " bits");
    spec().m = m;
    codebook().pq_centroids =
        tensor_of(pq.centroids.data(), {m, spec().centroids(), spec().d_out / m});
  }

  void read_coarse() {
    const faiss::IndexIVF& lists = *file_.lists;
    const auto nlist = static_cast<std::int64_t>(lists.nlist);
    const faiss::Index* coarse = lists.quantizer;
    require(coarse != nullptr && nlist > 0 && coarse->ntotal == nlist && coarse->d == lists.d &&
                coarse->metric_type == lists.metric_type,
            "its coarse quantiser is damaged");
    spec().nlist = nlist;
    const float* vectors = nullptr;
    if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(coarse)) {
      spec().coarse_edges = edges_of(*graph);
      vectors = vectors_of(*graph);
    } else {
      const auto* flat = dynamic_cast<const faiss::IndexFlat*>(coarse);
      require(flat != nullptr, "its coarse quantiser is neither flat nor HNSW");
      require_vectors(*flat);
      vectors = flat->get_xb();
    }
    codebook().coarse_centroids = tensor_of(vectors, {nlist, spec().d_out});
  }

  std::int64_t edges_of(const faiss::IndexHNSW& graph) const {
    const faiss::HNSW& hnsw = graph.hnsw;
    require(hnsw.cum_nneighbor_per_level.size() > 2 && hnsw.nb_neighbors(1) > 0 &&
                std::cmp_equal(hnsw.levels.size(), graph.ntotal) &&
                std::cmp_equal(hnsw.offsets.size(), graph.ntotal + 1) &&
                hnsw.offsets.back() <= hnsw.neighbors.size(),
            "its HNSW graph is damaged");
    for (const auto neighbour : hnsw.neighbors) {
      require(neighbour >= -1 && neighbour < graph.ntotal, "its HNSW graph is damaged");
    }
    return hnsw.nb_neighbors(1);
  }

  const float* vectors_of(const faiss::IndexHNSW& graph) const {
    const auto* storage = dynamic_cast<const faiss::IndexFlat*>(graph.storage);
    require(storage != nullptr && storage->ntotal == graph.ntotal && storage->d == graph.d,
            "its HNSW graph does not have flat vectors");
    require_vectors(*storage);
    return storage->get_xb();
  }

  void require_vectors(const faiss::IndexFlat& flat) const {
    require(flat.codes.size() == static_cast<std::size_t>(flat.ntotal) *
                                     static_cast<std::size_t>(flat.d) * sizeof(float),
            "its vectors are damaged");
  }

  /// Reading mapped lists beyond the end of a truncated file would end the process.
  void require_whole_lists() const {
    const auto* mapped = dynamic_cast<const faiss::OnDiskInvertedLists*>(file_.lists->invlists);
    if (mapped == nullptr) return;
    require(mapped->nlist == file_.lists->nlist && mapped->code_size == file_.lists->code_size,
            "its lists are damaged");
    const std::size_t entry_bytes = mapped->code_size + sizeof(FaissId);
    for (const auto& list : mapped->lists) {
      const bool inside = list.offset <= mapped->totsize &&
                          list.size <= (mapped->totsize - list.offset) / entry_bytes;
      require(inside, "is truncated");
    }
  }

  /// Whether a transform of the chain brings vectors to length 1.
  bool normalises(std::size_t at) const {
    const auto* norm = dynamic_cast<const faiss::NormalizationTransform*>((*chain_)[at]);
    require(norm == nullptr || norm->norm == 2, "normalises vectors by another norm than L2");
    return norm != nullptr;
  }

  /// cos: L2norm and perhaps a linear transform; l2: a linear transform and perhaps L2norm.
  void read_transforms() {
    std::size_t next = 0;
    std::size_t end = chain_->size();
    if (spec().metric == Metric::ip && next < end && normalises(next)) {
      spec().metric = Metric::cos;
      ++next;
    } else if (spec().metric == Metric::l2 && next < end && normalises(end - 1)) {
      spec().normalised = true;
      --end;
    }
    if (next == end) return;
    require(next + 1 == end, "has several transforms, one is supported");
    const auto* linear = dynamic_cast<const faiss::LinearTransform*>((*chain_)[next]);
    require(linear != nullptr, "its transform is not linear (OPQ or PCA)");
    spec().d_in = linear->d_in;
    require(linear->d_out == spec().d_out && spec().d_in > 0,
            "transform and index do not fit together");
    require(std::cmp_equal(linear->A.size(), spec().d_in * spec().d_out) &&
                (!linear->have_bias || std::cmp_equal(linear->b.size(), spec().d_out)),
            "its transform is damaged");
    codebook().rotation = tensor_of(linear->A.data(), {spec().d_out, spec().d_in});
    spec().transform = linear->have_bias ? Transform::pca : Transform::opq;
    const auto* pca = dynamic_cast<const faiss::PCAMatrix*>(linear);
    spec().whitened = pca != nullptr && pca->eigen_power == whitening_power;
    if (spec().transform == Transform::opq) spec().opq_m = spec().has_quantizer() ? spec().m : 1;
    if (!linear->have_bias) return;
    const at::Tensor bias = tensor_of(linear->b.data(), {spec().d_out});
    if (is_inner_product(spec().metric)) {
      require(!bias.any().item<bool>(), "its PCA is centred, which inner products do not allow");
    } else {
      codebook().bias = bias;
    }
  }

  const std::filesystem::path& path_;
  FaissFile& file_;
  const std::vector<faiss::VectorTransform*>* chain_ = nullptr;
};

}  // namespace

FaissFile read_faiss_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw core::InputError(path, "no such file");
  FaissFile file;
  try {
    file.index.reset(faiss::read_index(path.c_str(),
                                       faiss::IO_FLAG_SKIP_PRECOMPUTE_TABLE | faiss::IO_FLAG_MMAP));
  } catch (const std::exception& e) {  // faiss's own, or a size in the file that no memory holds
    throw core::InputError(path, std::string("cannot be read as a faiss index: ") + e.what());
  }
  FileReader(path, file).read();
  return file;
}

std::unique_ptr<faiss::Index> release_core(FaissFile& file) {
  if (file.core == file.index.get()) return std::move(file.index);
  auto* outer = dynamic_cast<faiss::IndexPreTransform*>(file.index.get());
  auto* map = dynamic_cast<faiss::IndexIDMap*>(outer == nullptr ? file.index.get() : outer->index);
  if (map != nullptr) {
    map->own_fields = false;
  } else {
    // only the transforms are deleted with what stands around it
    outer->index = nullptr;
  }
  std::unique_ptr<faiss::Index> core(file.core);
  file.index.reset();
  return core;
}

}  // namespace knnseq::index
