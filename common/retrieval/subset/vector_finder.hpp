// The nearest sentences by vectors in an index.
#pragma once

#include <functional>

#include "retrieval/distributed_search.hpp"
#include "retrieval/subset/sentence_finder.hpp"

namespace knnseq::retrieval {

/// Vectors of a block's sentences: fp32 [sentences, d].
using SentenceVectors = std::function<at::Tensor(const SentenceBlock&)>;

class VectorFinder final : public SentenceFinder {
 public:
  /// The index's ids are sentence ids; its options' k is how many are found.
  VectorFinder(DistributedSearch search, SentenceVectors vectors)
      : search_(std::move(search)), vectors_(std::move(vectors)) {}

  index::TopK find(const SentenceBlock& block) override {
    const at::Tensor none = at::empty({0, search_.width()}, at::kFloat);
    return search_.search(block.sentences > 0 ? vectors_(block) : none).to(at::kCPU);
  }

 private:
  DistributedSearch search_;
  SentenceVectors vectors_;
};

}  // namespace knnseq::retrieval
