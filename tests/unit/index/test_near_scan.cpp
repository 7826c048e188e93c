#include <catch2/catch.hpp>

#include "index/core/normalised.hpp"
#include "index/train/two_level_assignment.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;

namespace {

index::RowPointers rows_of(const at::Tensor& x) {
  index::RowPointers rows;
  index::append_rows(x, rows);
  return rows;
}

}  // namespace

TEST_CASE("a near scan finds most nearest centroids, whatever else is in the batch") {
  const index::Metric metric = GENERATE(index::Metric::l2, index::Metric::ip);
  const auto self = comm::make_self_communicator();
  const at::Tensor x = test::clustered(6000, 8, 1);
  at::Tensor centroids = x.narrow(0, 0, 300).clone();
  if (metric == index::Metric::ip) centroids = index::normalised(centroids);
  const index::TwoLevelAssignment near(*self, centroids, {10, 7, metric});
  const auto found = near.nearest(rows_of(x));
  const auto exact = index::CentroidScan(centroids, metric).nearest(rows_of(x));
  int hits = 0;
  for (std::size_t i = 0; i < found.size(); ++i) hits += found[i] == exact[i] ? 1 : 0;
  CHECK(hits > 5000);
  const auto alone = near.nearest(rows_of(x.narrow(0, 1000, 77)));
  CHECK(std::equal(alone.begin(), alone.end(), found.begin() + 1000));
}

TEST_CASE(
    "k-means on growing shares of the rows, near or exhaustive, is nearly as good as on all") {
  const auto self = comm::make_self_communicator();
  const at::Tensor x = test::clustered(20000, 8, 4);
  const auto sample = index::deal_sample(x, 1000, 0, 1);
  const auto error_of = [&](index::CoarseSearch search, bool growing) {
    const index::KmeansOptions options{10, 3, index::Metric::l2, search, growing};
    const auto result =
        index::kmeans(*self, sample, options, index::start_kmeans(*self, sample, 128, options));
    return at::square(std::get<0>(at::cdist(x, result.centroids).min(1))).mean().item<double>();
  };
  const double all = error_of(index::CoarseSearch::all, false);
  CHECK(error_of(index::CoarseSearch::all, true) < 1.05 * all);
  CHECK(error_of(index::CoarseSearch::near, true) < 1.1 * all);
}
