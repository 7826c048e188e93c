#include "index/search/whole_index.hpp"

#include <faiss/IndexFastScan.h>
#include <faiss/IndexHNSW.h>

#include "core/error.hpp"
#include "core/types.hpp"
#include "index/core/certain_top_k.hpp"
#include "index/core/parallel.hpp"

namespace knnseq::index {

namespace {

class WholeIndex final : public LocalIndex {
 public:
  WholeIndex(const Codebook& codebook, std::vector<WholePart> parts,
             const LocalIndexOptions& options)
      : spec_(codebook.spec),
        parts_(std::move(parts)),
        sign_(is_inner_product(spec_.metric) ? -1.0f : 1.0f) {
    for (const WholePart& part : parts_) {
      entries_ += part.index->ntotal;
      // The other way of keeping the best, a reservoir, crashes faiss 1.7.3 if many
      // distances are equal.
      constexpr int with_heap = 12;
      if (auto* fast = dynamic_cast<faiss::IndexFastScan*>(part.index.get())) {
        fast->implem = with_heap;
      }
    }
    WholeIndex::set_ef_search(options.ef_search);
  }

  void set_ef_search(std::int64_t ef_search) override {
    for (WholePart& part : parts_) {
      if (auto* graph = dynamic_cast<faiss::IndexHNSW*>(part.index.get())) {
        graph->hnsw.efSearch = core::narrow<int>(ef_search);
      }
    }
  }

  TopK search(const at::Tensor& rotated, const Probes&, std::int64_t k) const override {
    const at::Tensor queries = rotated.contiguous();
    TopK result = missing_top_k(queries.size(0), k);
    parallel_for(queries.size(0), [&](std::int64_t i) {
      const float* query = queries.const_data_ptr<float>() + i * queries.size(1);
      std::vector<Neighbour> found;
      for (const WholePart& part : parts_) {
        const auto scan = [&](std::size_t count) { return scan_one(part, query, count); };
        // what a graph walk finds is only cut: asking for more would walk elsewhere
        const auto of_part = spec_.storage == Storage::hnsw ? scan(k) : certain_top_k(k, scan);
        found.insert(found.end(), of_part.begin(), of_part.end());
      }
      std::sort(found.begin(), found.end());
      found.resize(std::min(found.size(), static_cast<std::size_t>(k)));
      result.set_row(i, found);
    });
    return result;
  }

  std::int64_t entries() const override { return entries_; }

  std::int64_t bytes() const override {
    const auto links = 2 * spec_.edges * static_cast<std::int64_t>(sizeof(std::int32_t));
    return entries_ * (spec_.code_bytes() + links + static_cast<std::int64_t>(sizeof(FaissId)));
  }

 private:
  /// faiss searches one query at a time: batches of another size could round differently.
  std::vector<Neighbour> scan_one(const WholePart& part, const float* query,
                                  std::size_t count) const {
    if (part.ids.empty()) return {};
    std::vector<float> distances(count);
    std::vector<FaissId> rows(count);
    part.index->search(1, query, static_cast<FaissId>(count), distances.data(), rows.data());
    std::vector<Neighbour> found;
    for (std::size_t j = 0; j < count && rows[j] >= 0; ++j) {
      found.push_back({sign_ * distances[j], part.ids[rows[j]]});
    }
    return found;
  }

  IndexSpec spec_;
  std::vector<WholePart> parts_;
  float sign_;  ///< −1 for inner products, since faiss takes the larger ones
  std::int64_t entries_ = 0;
};

}  // namespace

std::unique_ptr<LocalIndex> make_whole_index(const Codebook& codebook, std::vector<WholePart> parts,
                                             const LocalIndexOptions& options) {
  return std::make_unique<WholeIndex>(codebook, std::move(parts), options);
}

}  // namespace knnseq::index
