// Subset kNN-MT: each sentence's neighbours are looked for among the entries of similar sentences.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "comm/communicator.hpp"
#include "index/quantize/vector_quantizer.hpp"
#include "index/search/scan_centroids.hpp"
#include "index/search/subset_scan.hpp"
#include "retrieval/knn_search.hpp"
#include "retrieval/subset/local_sentence_store.hpp"
#include "retrieval/subset/sentence_finder.hpp"
#include "retrieval/subset/shard_holders.hpp"

namespace knnseq::retrieval {

/// Where the time went on this rank, and how much memory a block took. A GPU runs asynchronously:
/// the time of its scan is that of queueing it.
struct SubsetTimes {
  double find_seconds = 0;   ///< of similar sentences, including waiting for other ranks
  double fetch_seconds = 0;  ///< of their entries, likewise
  double scan_seconds = 0;
  std::int64_t blocks = 0;
  std::int64_t sentences = 0;
  std::int64_t entries = 0;  ///< of all sentences' subsets
  std::int64_t queries = 0;
  std::int64_t most_bytes = 0;  ///< of the subsets of one block, where they are searched
};

/// The datastore sentence that is most like a given one.
struct NearestSentence {
  float distance = 0;
  std::vector<core::TokenId> target = {};  ///< with its end; empty if none was found
  std::int64_t first_entry = -1;           ///< number of its first token's entry; −1 likewise
};

/// (Deguchi et al., "Subset Retrieval Nearest Neighbor Machine Translation", ACL 2023.) begin()
/// finds the sentences most similar to each of the block's and fetches their entries' codes from
/// the ranks that hold them, to the device where the model computes; a rank that reads all
/// sentences does so by itself. search() is local, and on a GPU it waits for nothing. Memory: the
/// subsets of one block, in that device's memory, and on a GPU what SubsetScanTorch works in.
class SubsetSearch final : public KnnSearch {
 public:
  /// What a rank reads of the datastore; one search after another may use it.
  struct Parts {
    index::Codebook codebook;  ///< of the codes: without lists
    LocalSentenceStore held;
    ShardHolders holders;
    std::unique_ptr<SentenceFinder> finder;
  };
  /// comm: the ranks that hold each sentence once together: of a rank that reads all, itself; it
  /// must outlive this object. k: neighbours of a query. The host's memory is searched by kernels,
  /// a device's by tensors; a `path` other than the device's own is for tests.
  SubsetSearch(comm::Communicator& comm, std::shared_ptr<Parts> parts, std::int64_t k,
               at::Device device = at::kCPU)
      : SubsetSearch(comm, std::move(parts), k, device, gpu::compute_path_on(device)) {}
  SubsetSearch(comm::Communicator& comm, std::shared_ptr<Parts> parts, std::int64_t k,
               at::Device device, gpu::ComputePath path);

  void begin(const SentenceBlock& block) override;
  index::TopK search(const at::Tensor& queries, std::span<const std::int64_t> sentences) override;
  void set_options(const SearchOptions& options) override { k_ = options.k; }
  std::int64_t width() const override { return parts_->codebook.spec.d_in; }
  bool collective() const override { return false; }
  bool in_subsets() const override { return true; }
  bool begins_together() const override { return comm_.size() > 1; }

  /// What a translation memory would give for the block's sentences. Collective if
  /// begins_together().
  std::vector<NearestSentence> find_nearest(const SentenceBlock& block);
  std::string summary() const override;

  const SubsetTimes& times() const { return times_; }

 private:
  comm::Communicator& comm_;
  std::shared_ptr<Parts> parts_;
  index::VectorQuantizer coder_;
  std::int64_t k_;
  // Of kernels or of tensors: the codebook, and the subsets of the block's sentences.
  std::optional<index::ScanCentroids> centroids_;
  std::optional<index::SubsetScan> subsets_;
  std::optional<index::AdcTorch> adc_;
  std::optional<index::SubsetScanTorch> device_subsets_;
  SubsetTimes times_;
};

}  // namespace knnseq::retrieval
