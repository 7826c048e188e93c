#include "index/faiss_io/faiss_file.hpp"

#include <algorithm>
#include <cstring>
#include <fstream>

#include <faiss/IndexFlat.h>
#include <faiss/IndexHNSW.h>
#include <faiss/IndexIDMap.h>
#include <faiss/IndexIVFFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPQ.h>
#include <faiss/IndexPQFastScan.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <faiss/impl/io.h>
#include <faiss/index_io.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/faiss_io/faiss_graph.hpp"

namespace knnseq::index {

namespace {

at::Tensor tensor_of(const float* data, at::IntArrayRef shape) {
  at::Tensor result = at::empty(shape, at::kFloat);
  std::memcpy(result.mutable_data_ptr<float>(), data, result.nbytes());
  return result;
}

/// Extracts a codebook from what faiss read. faiss trusts most of a file; this does not. All arrays
/// have the lengths that d, ntotal and nlist require: verify_faiss_layout() has checked that.
class FileReader {
 public:
  FileReader(const std::filesystem::path& path, FaissFile& file) : path_(path), file_(file) {}

  void read() {
    unwrap();
    const faiss::Index& core = *file_.core;
    spec().d_in = core.d;
    spec().d_out = core.d;
    if (core.metric_type == faiss::METRIC_INNER_PRODUCT) spec().metric = Metric::ip;
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
    } else if (const auto* pq = dynamic_cast<const faiss::IndexPQ*>(core)) {
      read_quantizer(pq->pq, 8);
    } else if (const auto* fast = dynamic_cast<const faiss::IndexPQFastScan*>(core)) {
      spec().storage = Storage::pq_fast_scan;
      read_quantizer(fast->pq, 4);
    } else if (const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(core)) {
      spec().storage = Storage::hnsw;
      spec().edges = verify_graph(path_, *graph);
      vectors_of(*graph);
    } else {
      vectors_of(*core);
      spec().storage = Storage::flat;
    }
  }

  void read_quantizer(const faiss::ProductQuantizer& pq, std::size_t nbits) {
    const auto m = static_cast<std::int64_t>(pq.M);
    require(pq.nbits == nbits,
            "its product quantiser does not have " + std::to_string(nbits) + " bits");
    spec().m = m;
    codebook().pq_centroids =
        tensor_of(pq.centroids.data(), {m, spec().centroids(), spec().d_out / m});
  }

  void read_coarse() {
    const faiss::IndexIVF& lists = *file_.lists;
    const auto nlist = static_cast<std::int64_t>(lists.nlist);
    const faiss::Index& coarse = *lists.quantizer;
    require(coarse.metric_type == lists.metric_type, "its coarse quantiser has another metric");
    spec().nlist = nlist;
    const auto* graph = dynamic_cast<const faiss::IndexHNSW*>(&coarse);
    if (graph != nullptr) spec().coarse_edges = verify_graph(path_, *graph);
    const float* vectors = graph != nullptr ? vectors_of(*graph) : vectors_of(coarse);
    codebook().coarse_centroids = tensor_of(vectors, {nlist, spec().d_out});
  }

  const float* vectors_of(const faiss::IndexHNSW& graph) const {
    require(graph.storage->metric_type == graph.metric_type, "its graph has another metric");
    return vectors_of(*graph.storage);
  }

  const float* vectors_of(const faiss::Index& index) const {
    const auto* flat = dynamic_cast<const faiss::IndexFlat*>(&index);
    require(flat != nullptr, "holds no vectors where it should");
    return flat->get_xb();
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
    require(linear->d_out == spec().d_out, "transform and index do not fit together");
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

template <class Read>
FaissFile read_checked(const std::filesystem::path& path, const Read& read) {
  FaissFile file;
  try {
    file.index.reset(read());
  } catch (const std::exception& e) {  // from faiss, or for a size that no memory holds
    throw core::InputError(path, std::string("cannot be read as a faiss index: ") + e.what());
  }
  FileReader(path, file).read();
  return file;
}

constexpr int read_flags = faiss::IO_FLAG_SKIP_PRECOMPUTE_TABLE | faiss::IO_FLAG_MMAP;

}  // namespace

FaissFile read_faiss_file(const std::filesystem::path& path) {
  if (!std::filesystem::is_regular_file(path)) throw core::InputError(path, "no such file");
  verify_faiss_layout(path);
  return read_checked(path, [&] { return faiss::read_index(path.c_str(), read_flags); });
}

FaissFile read_without_rows(const std::filesystem::path& path, const FaissRows& rows) {
  const std::uint64_t codes_end = rows.codes + rows.entries * rows.code_bytes;
  const std::uint64_t ids_end = rows.ids + rows.entries * sizeof(FaissId);
  const std::uint64_t end = std::filesystem::file_size(path);
  std::ifstream in(path, std::ios::binary);
  faiss::VectorIOReader without;
  const auto append = [&](std::uint64_t from, std::uint64_t to) {
    const std::size_t before = without.data.size();
    without.data.resize(before + (to - from));
    in.seekg(static_cast<std::streamoff>(from));
    in.read(reinterpret_cast<char*>(without.data.data() + before),
            static_cast<std::streamsize>(to - from));
    if (!in) throw core::InputError(path, "cannot be read");
  };
  /// Of the array that follows what was appended last.
  const auto no_elements = [&] {
    std::fill(without.data.end() - sizeof(std::uint64_t), without.data.end(), std::uint8_t{0});
  };
  append(0, rows.codes);
  no_elements();
  for (const auto count : rows.counts) {
    std::fill_n(without.data.begin() + static_cast<std::ptrdiff_t>(count), sizeof(std::uint64_t),
                std::uint8_t{0});
  }
  append(codes_end, rows.ids > 0 ? rows.ids : end);
  if (rows.ids > 0) {
    no_elements();
    append(ids_end, end);
  }
  return read_checked(path, [&] { return faiss::read_index(&without, read_flags); });
}

std::unique_ptr<faiss::Index> release_core(FaissFile& file) {
  if (file.core == file.index.get()) return std::move(file.index);
  auto* outer = dynamic_cast<faiss::IndexPreTransform*>(file.index.get());
  auto* map = dynamic_cast<faiss::IndexIDMap*>(outer == nullptr ? file.index.get() : outer->index);
  if (map != nullptr) {
    map->own_fields = false;
  } else {
    // with the wrapper only the transforms are deleted, not the index
    outer->index = nullptr;
  }
  std::unique_ptr<faiss::Index> core(file.core);
  file.index.reset();
  return core;
}

}  // namespace knnseq::index
