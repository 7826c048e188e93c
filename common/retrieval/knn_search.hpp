// A search for neighbours while sentences are translated: in a whole datastore, or in a subset for
// each sentence. KnnMixer owns one or more of them and is what stages use.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "core/types.hpp"
#include "index/core/top_k.hpp"
#include "retrieval/search_options.hpp"

namespace knnseq::retrieval {

/// What a block's sentences can be looked for by; a search of the whole datastore reads none of it.
struct SentenceBlock {
  std::int64_t sentences = 0;
  at::Tensor means;                                ///< fp32 [sentences, d]: encoder's output
  std::vector<std::vector<core::TokenId>> pieces;  ///< [sentences]: sources' own tokens
  std::vector<std::string> texts;                  ///< [sentences]: the sources
};

/// A search that was started (KnnSearch::start()); must not outlive it.
class PendingSearch {
 public:
  virtual ~PendingSearch() = default;
  /// Once, before the rest: this rank's part of the search for all ranks. Collective.
  virtual void serve() {}
  /// The statuses [ranks of the group] that came with it; none if it is not collective.
  virtual std::span<const std::int64_t> statuses() const { return {}; }
  /// Once: the neighbours, as search() gives them. Collective.
  virtual index::TopK finish() = 0;

 protected:
  PendingSearch() = default;
  PendingSearch(const PendingSearch&) = default;
  PendingSearch(PendingSearch&&) = default;
  PendingSearch& operator=(const PendingSearch&) = default;
  PendingSearch& operator=(PendingSearch&&) = default;
};

class KnnSearch {
 public:
  virtual ~KnnSearch() = default;

  /// The sentences of this rank's queries from now on; there may be none. Collective if
  /// begins_together().
  virtual void begin(const SentenceBlock& /*block*/) {}

  /// The k nearest of queries [q, width()] (fp32, fp16 or bf16; q may be 0), on the device where
  /// the search computes. sentences [q]: each query's sentence, by its place in the block.
  /// Collective if collective(): then all ranks of the group call it equally often, those without
  /// queries with none.
  virtual index::TopK search(const at::Tensor& queries,
                             std::span<const std::int64_t> sentences) = 0;

  /// The same in parts, between which a rank can do other work while the messages of a collective
  /// search are on their way; `status` is a word of this rank to all others. If several searches of
  /// one group are under way, all are served in the order in which they were started, and then
  /// finished in that order; each may be started again as soon as it is finished. A search that is
  /// not collective is made at once.
  virtual std::unique_ptr<PendingSearch> start(const at::Tensor& queries,
                                               std::span<const std::int64_t> sentences,
                                               std::int64_t /*status*/) {
    class Finished final : public PendingSearch {
     public:
      explicit Finished(index::TopK found) : found_(std::move(found)) {}
      index::TopK finish() override { return std::move(found_); }

     private:
      index::TopK found_;
    };
    return std::make_unique<Finished>(search(queries, sentences));
  }
  /// How many searches may be under way at a time.
  virtual int lanes() const { return 1; }

  /// For later searches, as far as they make use of it; the backend stays as it is. The same on
  /// every rank.
  virtual void set_options(const SearchOptions& options) = 0;

  virtual std::int64_t width() const = 0;  ///< of queries
  virtual bool collective() const = 0;     ///< search(): its entries lie in several ranks' memories
  virtual bool in_subsets() const { return false; }  ///< begin() comes before a block's search()
  virtual bool begins_together() const { return false; }

  /// Of a collective search: the ranks that exchange, of one or more groups that the job's ranks
  /// form.
  virtual comm::Communicator* group() const { return nullptr; }

  /// Where the time went on this rank, in one line for the log.
  virtual std::string summary() const = 0;

 protected:
  KnnSearch() = default;
  KnnSearch(const KnnSearch&) = default;
  KnnSearch(KnnSearch&&) = default;
  KnnSearch& operator=(const KnnSearch&) = default;
  KnnSearch& operator=(KnnSearch&&) = default;
};

}  // namespace knnseq::retrieval
