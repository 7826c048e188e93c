// Subsets on the device under test against those of the CPU's kernels.
#include <limits>

#include <catch2/catch.hpp>

#include "index/core/distance_keys.hpp"
#include "support/kernels_under_test.hpp"
#include "unit/gpu/scan_comparison.hpp"
#include "unit/index/subset_cases.hpp"

using namespace knnseq;
using namespace knnseq::test;

namespace {

constexpr auto usual = index::SubsetScanTorch::usual_workspace;

/// Searches both ways and counts what differs, by a bit or more.
std::int64_t differing(const SubsetCase& data, const at::Tensor& rotated,
                       const std::vector<std::int64_t>& sets, std::int64_t k,
                       std::int64_t workspace) {
  const index::ScanCentroids centroids(data.codebook);
  const auto device = launcher_under_test()->device();
  const index::AdcTorch adc(data.codebook.pq_centroids, data.codebook.spec.metric, device);
  const auto scan = data.device_scan(adc, workspace);
  CHECK(scan.bytes() == scan.entries() * (data.codebook.spec.m + 8));
  return test::differing(scan.search(rotated.to(device), sets, k),
                         data.scan(centroids).search(rotated, sets, k));
}

}  // namespace

TEST_CASE("subsets on a device: the CPU's neighbours and distances to the last bit") {
  const std::string metric = GENERATE("l2", "ip", "cos");
  const std::string factory = GENERATE("PQ8", "OPQ6_12,PQ6", "PQ3", "PCA20,PQ10");
  const SubsetCase data(factory, metric, {700, 0, 1, 64, 130, 3000});
  const at::Tensor queries =
      index::rotate_vectors(data.codebook, clustered(90, 24, 9) * 1.3).contiguous();
  std::vector<std::int64_t> mixed, of_two;
  for (std::int64_t i = 0; i < queries.size(0); ++i) {
    mixed.push_back(i * 7 % 6);
    of_two.push_back(i < 70 ? 5 : 4);  // more of one set than are searched side by side
  }
  for (const std::int64_t k : {1, 16, 200}) {
    for (const std::int64_t workspace : {usual, std::int64_t{1} << 20, std::int64_t{0}}) {
      INFO(factory << " " << metric << " k " << k << " workspace " << workspace);
      CHECK(differing(data, queries, mixed, k, workspace) == 0);
      CHECK(differing(data, queries, of_two, k, workspace) == 0);
    }
  }
}

TEST_CASE("subsets on a device: ties, nothing to tell entries apart by, and nothing to find") {
  const SubsetCase data("PQ8", "ip", {500, 20});
  const auto device = launcher_under_test()->device();
  const index::AdcTorch adc(data.codebook.pq_centroids, data.codebook.spec.metric, device);
  const auto scan = data.device_scan(adc, usual);
  // All products are 0: the lowest entry numbers are the nearest.
  const HostTopK found =
      scan.search(at::zeros({1, 24}).to(device), std::vector<std::int64_t>{0}, 3);
  CHECK(core::entry_number_of(found.ids[0]) == 100'000 - 499);
  CHECK(core::entry_number_of(found.ids[2]) == 100'000 - 497);
  CHECK(scan.search(at::empty({0, 24}).to(device), {}, 3).ids.numel() == 0);
  const at::Tensor no_number = at::full({1, 24}, std::numeric_limits<float>::quiet_NaN());
  const HostTopK none = scan.search(no_number.to(device), std::vector<std::int64_t>{1}, 2);
  CHECK(none.ids == std::vector<std::int64_t>(2, index::missing_id));
  CHECK(none.distances == std::vector<float>(2, index::missing_distance));
  const SubsetCase empty("PQ8", "l2", {0, 0});
  const auto nothing = empty.device_scan(adc, usual);
  const HostTopK of_nothing =
      nothing.search(at::zeros({1, 24}).to(device), std::vector<std::int64_t>{1}, 2);
  CHECK(of_nothing.ids == none.ids);
  CHECK_THROWS_AS(scan.search(at::zeros({1, 24}).to(device), std::vector<std::int64_t>{2}, 3),
                  std::logic_error);
}

TEST_CASE("sets on a device must be filled, in the order of their entries") {
  const auto device = launcher_under_test()->device();
  const SubsetCase data("PQ8", "l2", {3});
  const index::AdcTorch adc(data.codebook.pq_centroids, data.codebook.spec.metric, device);
  index::SubsetScanTorch scan(adc, data.sizes());
  const auto codes = index::span_of<std::uint8_t>(data.codes[0]);
  CHECK_THROWS_AS(scan.append(0, codes, data.ids[0]), std::logic_error);  // descending
  index::SubsetScanTorch too_few(adc, data.sizes());
  CHECK_THROWS_AS(too_few.finish(), std::logic_error);
}

TEST_CASE("keys ascend by distance and position, and give both back") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const at::Tensor distances =
      at::tensor({-3.5F, -1e-30F, -0.0F, 0.0F, 1e-42F, 2.0F, 2.0F, 3e38F, infinity, -infinity,
                  std::numeric_limits<float>::quiet_NaN()},
                 at::kFloat)
          .to(launcher_under_test()->device());
  const at::Tensor positions =
      at::tensor({9, 8, 4, 5, 0, 6, 0x7fffffff, 1, 2, 3, 7}, at::kLong).to(distances.device());
  const at::Tensor keys = index::distance_keys(distances, positions);
  CHECK((keys.slice(0, 1, 8) > keys.slice(0, 0, 7)).all().item<bool>());
  CHECK((keys.slice(0, 8) == index::no_distance_key).all().item<bool>());
  CHECK(at::equal(index::distances_of_keys(keys).slice(0, 0, 8), distances.slice(0, 0, 8)));
  CHECK(at::equal(index::positions_of_keys(keys).slice(0, 0, 8), positions.slice(0, 0, 8)));
  CHECK((index::distances_of_keys(keys).slice(0, 8) == infinity).all().item<bool>());
}

TEST_CASE("queries are distributed over slots and passes, larger sets first") {
  const std::vector<std::int64_t> sets = {2, 0, 2, 2, 1, 0}, sizes = {10, 30, 20};
  const auto one = index::plan_slots(sets, sizes, 8, 100);
  REQUIRE(one.size() == 1);
  CHECK(one[0].columns == 3);
  REQUIRE(one[0].slots.size() == 3);
  CHECK(one[0].slots[0].set == 1);
  CHECK(one[0].slots[1].queries == std::vector<std::int64_t>{0, 2, 3});
  CHECK(one[0].slots[2].queries == std::vector<std::int64_t>{1, 5});
  const auto more = index::plan_slots(sets, sizes, 2, 4);
  REQUIRE(more.size() == 2);
  CHECK(more[0].slots.size() == 2);  // a third one would make 6 queries
  CHECK(more[0].slots[1].queries == std::vector<std::int64_t>{0, 2});
  CHECK(more[1].slots[0].queries == std::vector<std::int64_t>{3});
  CHECK(index::plan_slots(sets, sizes, 8, 0).size() == 3);
  CHECK(index::plan_slots({}, sizes, 8, 100).empty());
}
