#include "retrieval/subset/vector_finder.hpp"

#include <algorithm>

namespace knnseq::retrieval {

index::TopK VectorFinder::find(const SentenceBlock& block) {
  const at::Tensor vectors =
      block.sentences > 0 ? vectors_(block) : at::empty({0, search_.width()}, at::kFloat);
  const Exchange found = search_.search(vectors, /*status=*/0);
  const at::Tensor distances = found.scores.neg();
  const auto count = static_cast<std::size_t>(found.ids.numel());
  index::TopK nearest{found.ids.size(0), found.ids.size(1), {}, {}};
  nearest.distances.assign(distances.const_data_ptr<float>(),
                           distances.const_data_ptr<float>() + count);
  nearest.ids.assign(found.ids.const_data_ptr<std::int64_t>(),
                     found.ids.const_data_ptr<std::int64_t>() + count);
  return nearest;
}

}  // namespace knnseq::retrieval
