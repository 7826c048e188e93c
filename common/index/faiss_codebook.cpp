#include "index/faiss_codebook.hpp"

#include <algorithm>
#include <cstring>
#include <vector>

#include <faiss/IndexFlat.h>
#include <faiss/IndexIVFPQ.h>
#include <faiss/IndexPreTransform.h>
#include <faiss/VectorTransform.h>
#include <faiss/index_io.h>
#include <faiss/invlists/OnDiskInvertedLists.h>
#include <fmt/format.h>

#include "core/error.hpp"
#include "core/types.hpp"

namespace knnseq::index {

namespace {

std::vector<float> vector_of(const at::Tensor& tensor) {
  const at::Tensor dense = tensor.contiguous();
  const float* data = dense.const_data_ptr<float>();
  return {data, data + dense.numel()};
}

at::Tensor tensor_of(const float* data, at::IntArrayRef shape) {
  at::Tensor result = at::empty(shape, at::kFloat);
  std::memcpy(result.mutable_data_ptr<float>(), data, result.nbytes());
  return result;
}

void require(bool holds, const std::filesystem::path& path, const std::string& message) {
  if (!holds) throw core::InputError(path, message);
}

void read_transform(const std::filesystem::path& path, const faiss::IndexPreTransform& whole,
                    Codebook& codebook) {
  require(whole.chain.size() == 1, path, "has several transforms, one is supported");
  const auto* linear = dynamic_cast<const faiss::LinearTransform*>(whole.chain.front());
  require(linear != nullptr, path, "its transform is not linear (OPQ or PCA)");
  IndexSpec& spec = codebook.spec;
  spec.d_in = linear->d_in;
  require(linear->d_out == spec.d_out && spec.d_in > 0, path,
          "transform and index do not fit together");
  require(std::cmp_equal(linear->A.size(), spec.d_in * spec.d_out) &&
              (!linear->have_bias || std::cmp_equal(linear->b.size(), spec.d_out)),
          path, "its transform is damaged");
  codebook.rotation = tensor_of(linear->A.data(), {spec.d_out, spec.d_in});
  if (linear->have_bias) codebook.bias = tensor_of(linear->b.data(), {spec.d_out});
  spec.transform = linear->have_bias ? Transform::pca : Transform::opq;
  if (spec.transform == Transform::opq) spec.opq_m = spec.m;
}

/// The codebook of what was read. faiss trusts the file in much; this does not.
Codebook codebook_of(const std::filesystem::path& path, const faiss::Index& whole,
                     const faiss::IndexIVFPQ& ivfpq) {
  const auto* coarse = dynamic_cast<const faiss::IndexFlat*>(ivfpq.quantizer);
  require(coarse != nullptr, path, "its coarse quantiser is not flat");
  const auto d = static_cast<std::int64_t>(ivfpq.d);
  const auto nlist = static_cast<std::int64_t>(ivfpq.nlist);
  const auto m = static_cast<std::int64_t>(ivfpq.pq.M);
  require(ivfpq.is_trained, path, "is not trained");
  require(ivfpq.metric_type == faiss::METRIC_L2 && ivfpq.by_residual, path,
          "is not an L2 index of residuals");
  require(d > 0 && nlist > 0 && m > 0 && d % m == 0 && ivfpq.pq.nbits == 8 &&
              ivfpq.code_size == ivfpq.pq.M && std::cmp_equal(ivfpq.pq.d, d) &&
              std::cmp_equal(ivfpq.pq.centroids.size(), d * 256),
          path, "its product quantiser is damaged or does not have 8 bits");
  require(coarse->ntotal == nlist && coarse->d == ivfpq.d, path, "its coarse quantiser is damaged");
  Codebook codebook;
  codebook.spec.d_in = d;
  codebook.spec.d_out = d;
  codebook.spec.nlist = nlist;
  codebook.spec.m = m;
  if (const auto* outer = dynamic_cast<const faiss::IndexPreTransform*>(&whole)) {
    read_transform(path, *outer, codebook);
  }
  codebook.coarse_centroids = tensor_of(coarse->get_xb(), {nlist, d});
  codebook.pq_centroids = tensor_of(ivfpq.pq.centroids.data(), {m, 256, d / m});
  codebook.check(path.string());
  return codebook;
}

/// Reading mapped lists beyond the end of a truncated file would end the process.
void require_whole_lists(const std::filesystem::path& path, const faiss::IndexIVFPQ& ivfpq) {
  const auto* mapped = dynamic_cast<const faiss::OnDiskInvertedLists*>(ivfpq.invlists);
  if (mapped == nullptr) return;
  require(mapped->nlist == ivfpq.nlist && mapped->code_size == ivfpq.code_size, path,
          "its lists are damaged");
  const std::size_t entry_bytes = mapped->code_size + sizeof(std::int64_t);
  for (const auto& list : mapped->lists) {
    const bool inside = list.offset <= mapped->totsize &&
                        list.size <= (mapped->totsize - list.offset) / entry_bytes;
    require(inside, path, "is truncated");
  }
}

}  // namespace

std::unique_ptr<faiss::IndexIVFPQ> make_faiss_ivfpq(const Codebook& codebook) {
  const IndexSpec& spec = codebook.spec;
  auto quantizer = std::make_unique<faiss::IndexFlatL2>(spec.d_out);
  quantizer->add(spec.nlist, codebook.coarse_centroids.contiguous().const_data_ptr<float>());
  auto index = std::make_unique<faiss::IndexIVFPQ>(
      quantizer.get(), static_cast<std::size_t>(spec.d_out), static_cast<std::size_t>(spec.nlist),
      static_cast<std::size_t>(spec.m), static_cast<std::size_t>(spec.nbits()), faiss::METRIC_L2);
  index->own_fields = true;
  quantizer.release();  // NOLINT(bugprone-unused-return-value): the index owns it now
  const auto centroids = vector_of(codebook.pq_centroids);
  std::copy(centroids.begin(), centroids.end(), index->pq.centroids.begin());
  index->is_trained = true;
  return index;
}

std::unique_ptr<faiss::Index> with_transform(const Codebook& codebook,
                                             std::unique_ptr<faiss::IndexIVFPQ> index) {
  if (codebook.spec.transform == Transform::none) return index;
  auto linear = std::make_unique<faiss::LinearTransform>(core::narrow<int>(codebook.spec.d_in),
                                                         core::narrow<int>(codebook.spec.d_out),
                                                         codebook.bias.defined());
  linear->A = vector_of(codebook.rotation);
  if (codebook.bias.defined()) linear->b = vector_of(codebook.bias);
  linear->is_trained = true;
  auto whole = std::make_unique<faiss::IndexPreTransform>(linear.get(), index.get());
  whole->own_fields = true;
  linear.release();  // NOLINT(bugprone-unused-return-value): owned by `whole` now, as the index is
  index.release();   // NOLINT(bugprone-unused-return-value)
  return whole;
}

FaissFile read_faiss_file(const std::filesystem::path& path) {
  require(std::filesystem::is_regular_file(path), path, "no such file");
  FaissFile file;
  try {
    file.index.reset(faiss::read_index(path.c_str(),
                                       faiss::IO_FLAG_SKIP_PRECOMPUTE_TABLE | faiss::IO_FLAG_MMAP));
  } catch (const std::exception& e) {  // faiss's own, or a size in the file that no memory holds
    throw core::InputError(path, std::string("cannot be read as a faiss index: ") + e.what());
  }
  faiss::Index* inner = file.index.get();
  if (auto* outer = dynamic_cast<faiss::IndexPreTransform*>(inner)) inner = outer->index;
  file.ivfpq = dynamic_cast<faiss::IndexIVFPQ*>(inner);
  require(file.ivfpq != nullptr, path, "is not an IVFPQ index");
  file.codebook = codebook_of(path, *file.index, *file.ivfpq);
  require_whole_lists(path, *file.ivfpq);
  return file;
}

}  // namespace knnseq::index
