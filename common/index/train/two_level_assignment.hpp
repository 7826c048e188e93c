// Comparison of vectors with those centroids only that are likely to be near.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "comm/communicator.hpp"
#include "index/quantize/nearest_centroids.hpp"
#include "index/train/kmeans.hpp"

namespace knnseq::index {

/// Two levels: k centroids are themselves clustered into about √k cells. A row is compared with all
/// cells, and then with the k / 8 centroids nearest to its cell (and all of the cell's own). Eight
/// times fewer operations than CentroidScan; a few rows miss their nearest centroid by a little,
/// which k-means hardly notices. A row's result depends on the row and the centroids alone.
class TwoLevelAssignment {
 public:
  /// Uses options.seed and options.metric. Collective: ranks share the work; the result is the same
  /// for any number of them.
  TwoLevelAssignment(comm::Communicator& comm, const at::Tensor& centroids,
                     const KmeansOptions& options);

  /// A centroid for each row that is nearest among those it was compared with.
  std::vector<std::int32_t> nearest(const RowPointers& rows) const;

 private:
  CentroidScan centroids_;
  CentroidScan cells_;
  std::vector<std::vector<std::int32_t>> lists_;  ///< per cell: centroids, ascending
};

}  // namespace knnseq::index
