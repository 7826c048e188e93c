#include "retrieval/exchange/neighbours.hpp"

#include <algorithm>

namespace knnseq::retrieval {

Neighbours to_neighbours(const index::TopK& found) {
  Neighbours neighbours{at::empty({found.queries, found.k}, at::kFloat),
                        at::empty({found.queries, found.k}, at::kLong)};
  std::transform(found.distances.begin(), found.distances.end(),
                 neighbours.scores.mutable_data_ptr<float>(), [](float d) { return -d; });
  std::copy(found.ids.begin(), found.ids.end(), neighbours.ids.mutable_data_ptr<std::int64_t>());
  return neighbours;
}

Neighbours to_host(const Neighbours& neighbours) {
  return {neighbours.scores.cpu(), neighbours.ids.cpu()};
}

}  // namespace knnseq::retrieval
