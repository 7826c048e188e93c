// kNN in decoding: from queries and the model's log-probs to mixed log-probs.
//
// How it is used depends on where the entries are:
// - collective(), in a whole datastore whose entries are spread over a group of ranks, which take
//   the same steps: a rank calls mix() at each step of a block that it translates, and serve()
//   while it has none, so that the others can search its entries. With start(), serve() and
//   finish(), which are the parts of mix(), it can work on another block meanwhile.
// - begins_together(), in subsets of sentences that are spread over all ranks, which work in
//   rounds: in each a rank has one block of sentences, or none; all call begin() together, and
//   then each mixes by itself.
// - else, where each rank reads all: a rank mixes by itself, in subsets after a begin() of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "gpu/compute_path.hpp"
#include "retrieval/knn_search.hpp"
#include "retrieval/mixing/entry_weights.hpp"
#include "retrieval/mixing/mixing_policy.hpp"

namespace knnseq::retrieval {

/// What one datastore had to say to one query.
struct Explained {
  bool searched = false;  ///< false: a gate has skipped the search
  /// The weight with which its p_knn went in; several datastores go in one after the other.
  float lambda = 0;
  std::vector<NeighbourShare> neighbours = {};  ///< the usable ones, nearest first
};

/// A step of mixing that was started (KnnMixer::start()).
struct PendingMix {
  at::Tensor log_probs;  ///< of all queries that were asked
  at::Tensor rows;       ///< int64: those of them that are searched; undefined: all
  // Of the searched ones:
  at::Tensor queries;
  std::vector<std::int64_t> sentences;
  std::vector<std::unique_ptr<PendingSearch>> searches;  ///< [datastores], or none

  /// As they came with it, after serve(): [ranks of the group].
  std::span<const std::int64_t> statuses() const { return searches.front()->statuses(); }
};

class KnnMixer {
 public:
  /// At least one search: one for each datastore, all alike; only one that is in subsets.
  /// Everywhere the queries' columns are those of the first search, then those of the next. `path`
  /// other than that of the log-probs' device is for tests.
  KnnMixer(std::vector<std::unique_ptr<KnnSearch>> searches, std::unique_ptr<MixingPolicy> policy,
           std::optional<gpu::ComputePath> path = {});

  /// For later queries.
  void set_policy(std::unique_ptr<MixingPolicy> policy) { policy_ = std::move(policy); }
  /// Of the entries of each datastore; none: all are 1.
  void set_weights(std::vector<EntryWeights> weights) { weights_ = std::move(weights); }
  const std::vector<EntryWeights>& weights() const { return weights_; }
  /// Of all searches: see KnnSearch::set_options().
  void set_options(const SearchOptions& options);
  /// Entries that came to the first datastore since its search was made: what `later`, which is not
  /// collective, finds counts as found there. Null: none.
  void set_later(std::unique_ptr<KnnSearch> later) { later_ = std::move(later); }

  bool collective() const { return searches_.front()->collective(); }
  bool in_subsets() const { return searches_.front()->in_subsets(); }
  bool begins_together() const { return searches_.front()->begins_together(); }

  /// The sentences of this rank's queries from now on; there may be none. Collective if
  /// begins_together(); of no effect unless in_subsets().
  void begin(const SentenceBlock& block);

  /// log_probs [q, V] (fp32, contiguous), changed in place: where the policy searches, the
  /// neighbours' distribution is mixed in. queries [q, Σ width] (fp32, fp16 or bf16) on the same
  /// device; sentences [q]: each query's sentence, by its place in the block. Collective if
  /// collective(). Throws core::InputError if a neighbour's token is not in the vocabulary: in the
  /// host's memory at once, on a GPU from check().
  void mix(const at::Tensor& queries, std::span<const std::int64_t> sentences,
           const at::Tensor& log_probs);

  using Explanation = std::vector<std::vector<Explained>>;  ///< [datastores][q]
  /// The same, with the neighbours that it came from. Waits for the device.
  Explanation mix_and_explain(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                              const at::Tensor& log_probs);

  /// The neighbours of all queries in each datastore, where the search computes, without mixing.
  std::vector<index::TopK> find(const at::Tensor& queries, std::span<const std::int64_t> sentences);

  /// Takes part in one step without a query. Collective.
  void serve();

  /// mix() is these three, one after the other, and serve() is start() of a status alone with the
  /// other two. `status` is a word of this rank to all of the group. Up to lanes() steps can be
  /// under way: all are served in the order in which they were started, and then finished in that
  /// order; each may be started again as soon as it is finished.
  PendingMix start(const at::Tensor& queries, std::span<const std::int64_t> sentences,
                   const at::Tensor& log_probs, std::int64_t status);
  PendingMix start(std::int64_t status);
  void serve(PendingMix& step);
  /// Changes the log-probs that start() was given.
  void finish(PendingMix& step);
  int lanes() const { return searches_.front()->lanes(); }
  /// Of collective searches: the ranks that step together.
  comm::Communicator& group() const { return *searches_.front()->group(); }

  /// How many queries mix() was given, and how many of them were searched.
  std::int64_t queries() const { return queries_; }
  std::int64_t searched() const { return searched_; }

  /// Before anything is made of mixed log-probs. Throws core::InputError; waits for the device.
  void check();

  /// Where the time went on this rank: one line for each datastore.
  std::vector<std::string> summaries() const;

 private:
  void start_searches(PendingMix& step, std::int64_t status);
  std::vector<index::TopK> finish_searches(PendingMix& step);
  void finish(PendingMix& step, Explanation* explanation);
  static void explain(const PendingMix& step, const std::vector<index::TopK>& found,
                      std::vector<Mixing>& how, Explanation& explanation);
  void interpolate(const at::Tensor& log_probs, const index::TopK& found, const Mixing& how);

  std::vector<std::unique_ptr<KnnSearch>> searches_;
  std::unique_ptr<KnnSearch> later_;
  std::unique_ptr<MixingPolicy> policy_;
  std::vector<EntryWeights> weights_;
  std::optional<gpu::ComputePath> path_;
  std::int64_t vocabulary_ = 0;
  std::int64_t queries_ = 0, searched_ = 0;
  at::Tensor greatest_;  ///< int64 []: of all tokens since check(), on the device
};

}  // namespace knnseq::retrieval
