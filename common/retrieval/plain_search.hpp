// Plain kNN as a BlockSearch.
#pragma once

#include "retrieval/block_search.hpp"
#include "retrieval/distributed_search.hpp"

namespace knnseq::retrieval {

/// Every query is searched in the whole datastore; search() is one lockstep exchange of all ranks.
class PlainSearch final : public BlockSearch {
 public:
  explicit PlainSearch(DistributedSearch search) : search_(std::move(search)) {}

  void begin(const SentenceBlock&) override {}
  Neighbours search(const at::Tensor& queries, std::span<const std::int64_t> sentences) override;
  bool collective() const override { return true; }
  std::string summary() const override;

 private:
  DistributedSearch search_;
};

/// Where the time of the exchanges went, in one line.
std::string describe(const SearchTimes& times);

}  // namespace knnseq::retrieval
