#include <faiss/IndexIVFPQ.h>

#include "core/error.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/parallel.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/faiss_io/faiss_lists.hpp"
#include "index/search/faiss_list_index.hpp"

namespace knnseq::index {

namespace {

/// IVFFlat or IVFPQ.
class FaissListIndex final : public ListIndex {
 public:
  FaissListIndex(const Codebook& codebook, std::span<const std::int64_t> sizes)
      : lists_(codebook, sizes), sign_(is_inner_product(codebook.spec.metric) ? -1.0f : 1.0f) {
    auto* ivfpq = dynamic_cast<faiss::IndexIVFPQ*>(&lists_.index());
    if (ivfpq != nullptr && entries() > 0) ivfpq->precompute_table();
  }

  void append(std::int64_t list, std::span<const std::uint8_t> codes,
              std::span<const std::int64_t> ids) override {
    lists_.append(list, codes, ids);
  }

  TopK search(const at::Tensor& rotated, const Probes& probes, std::int64_t k) const override {
    const at::Tensor queries = rotated.contiguous();
    const at::Tensor lists = probes.lists.contiguous();
    const at::Tensor distances = probes.distances.contiguous();
    const std::int64_t q = queries.size(0);
    KNNSEQ_ASSERT(k > 0 && lists.size(0) == q && distances.sizes() == lists.sizes(),
                  "shapes of queries and probes differ");
    TopK result = missing_top_k(q, k);
    if (entries() == 0) return result;
    parallel_for(q, [&](std::int64_t i) {
      const auto scan = [&](std::size_t count) {
        return scan_one(queries.const_data_ptr<float>() + i * queries.size(1),
                        {lists.const_data_ptr<std::int64_t>() + i * lists.size(1),
                         static_cast<std::size_t>(lists.size(1))},
                        distances.const_data_ptr<float>() + i * lists.size(1), count);
      };
      result.set_row(i, certain_top_k(k, scan));
    });
    return result;
  }

  std::int64_t entries() const override { return lists_.index().ntotal; }

  std::int64_t bytes() const override {
    const faiss::IndexIVF& index = lists_.index();
    const auto* ivfpq = dynamic_cast<const faiss::IndexIVFPQ*>(&index);
    const auto tables = ivfpq == nullptr ? 0 : ivfpq->precomputed_table.size();
    return static_cast<std::int64_t>(
        static_cast<std::size_t>(entries()) * (index.code_size + sizeof(FaissId)) +
        (tables + index.nlist * static_cast<std::size_t>(index.d)) * sizeof(float));
  }

 private:
  /// faiss scans one query at a time: batches of another size could round differently.
  std::vector<Neighbour> scan_one(const float* query, std::span<const std::int64_t> lists,
                                  const float* list_distances, std::size_t count) const {
    std::vector<float> distances(count);
    std::vector<FaissId> ids(count);
    const std::vector<FaissId> faiss_lists(lists.begin(), lists.end());
    std::vector<float> list_scores(lists.size());
    for (std::size_t j = 0; j < lists.size(); ++j) list_scores[j] = sign_ * list_distances[j];
    faiss::IVFSearchParameters parameters;
    parameters.nprobe = lists.size();
    lists_.index().search_preassigned(1, query, static_cast<FaissId>(count), faiss_lists.data(),
                                      list_scores.data(), distances.data(), ids.data(),
                                      /*store_pairs=*/false, &parameters);
    std::vector<Neighbour> found;
    for (std::size_t j = 0; j < count && ids[j] >= 0; ++j) {
      found.push_back({sign_ * distances[j], ids[j]});
    }
    return found;
  }

  FaissLists lists_;
  float sign_;  ///< −1 for inner products, since faiss takes the larger ones
};

}  // namespace

std::unique_ptr<ListIndex> make_faiss_list_index(const Codebook& codebook,
                                                 std::span<const std::int64_t> sizes) {
  return std::make_unique<FaissListIndex>(codebook, sizes);
}

}  // namespace knnseq::index
