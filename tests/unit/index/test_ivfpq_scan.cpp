#include <map>

#include <ATen/Parallel.h>
#include <catch2/catch.hpp>
#include <faiss/IndexIVFPQ.h>

#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/core/kth_smallest.hpp"
#include "index/core/marks.hpp"
#include "index/core/neighbour.hpp"
#include "index/faiss_io/faiss_codebook.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "index/search/scan_query.hpp"
#include "index/simd/simd_kernels.hpp"
#include "support/host_top_k.hpp"
#include "support/normal.hpp"
#include "unit/index/scan_cases.hpp"
#include "unit/index/synthetic.hpp"

using namespace knnseq;
using namespace knnseq::test;

namespace {

/// The same, but for rounding: distances within `tolerance`, neighbours exchanged only within it.
void check_close(const Case& test, const HostTopK& found, double tolerance) {
  std::int64_t far = 0;
  std::int64_t unsorted = 0;
  for (std::int64_t i = 0; i < found.queries; ++i) {
    const auto expected = plain_search(test, i);
    std::map<std::int64_t, double> distances;
    for (const Expected& entry : expected) distances[entry.id] = entry.distance;
    const auto row = static_cast<std::size_t>(i * found.k);
    const auto count = std::min(static_cast<std::size_t>(found.k), expected.size());
    for (std::size_t j = 0; j < count; ++j) {
      const index::Neighbour neighbour{found.distances[row + j], found.ids[row + j]};
      const bool close =
          distances.contains(neighbour.id) &&
          std::abs(distances[neighbour.id] - double{neighbour.distance}) <= tolerance &&
          std::abs(expected[j].distance - double{neighbour.distance}) <= tolerance;
      far += close ? 0 : 1;
      if (j > 0) {
        const index::Neighbour before{found.distances[row + j - 1], found.ids[row + j - 1]};
        unsorted += before < neighbour ? 0 : 1;
      }
    }
  }
  CHECK(far == 0);
  CHECK(unsorted == 0);
}

bool same(const HostTopK& a, const HostTopK& b) {
  return a.ids == b.ids && a.distances == b.distances;
}

}  // namespace

TEST_CASE("a scan finds exactly what plain arithmetic finds, whatever the shape and the kernel") {
  const auto m = GENERATE(1, 2, 3, 8, 31, 64);
  const auto dsub = GENERATE(1, 3, 4, 8, 9);
  const auto inner_product = GENERATE(false, true);
  const Case test = make_case({m, dsub, /*whole_numbers=*/true}, inner_product, 1);
  const auto answers = plain_answers(test);
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    const auto scan = make_scan(test, &kernels);
    INFO(core::to_string(kernels.set)
         << ", m " << m << ", dsub " << dsub << (inner_product ? ", ip" : ", l2"));
    CHECK(scan.entries() == test.entries());
    for (const std::int64_t k : {1, 7, 64, 2000}) {
      CHECK(differing_slots(answers, scan.search(test.queries, test.probes, k)) == 0);
    }
  }
}

TEST_CASE("entries with equal codes are told apart by their numbers, at the cut too") {
  const auto inner_product = GENERATE(false, true);
  // 3 codes: nearly all distances tie, hundreds of times.
  const Case test = make_case({4, 4, /*whole_numbers=*/true, /*codes=*/3}, inner_product, 2);
  const auto answers = plain_answers(test);
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    const auto scan = make_scan(test, &kernels);
    for (const std::int64_t k : {1, 10, 100, 333}) {
      CHECK(differing_slots(answers, scan.search(test.queries, test.probes, k)) == 0);
    }
  }
}

TEST_CASE("of real numbers all kernels find the same, and what is right but for rounding") {
  const auto inner_product = GENERATE(false, true);
  const auto m = GENERATE(1, 16, 33, 100);
  const auto outlier = GENERATE(1.0, 300.0);
  Case test = make_case({m, 4}, inner_product, 3);
  test.codebook.pq_centroids[0] *=
      outlier;  // one sub-vector's steps are far too wide for the others
  const auto kernels = index::simd_kernels_of_this_cpu();
  const auto expected = make_scan(test, &kernels.back()).search(test.queries, test.probes, 50);
  check_close(test, expected, 4e-6 * static_cast<double>(std::max(m, 25)) * outlier * outlier);
  for (const index::SimdKernels& some : kernels) {
    INFO(core::to_string(some.set));
    CHECK(same(make_scan(test, &some).search(test.queries, test.probes, 50), expected));
  }
}

TEST_CASE("codes longer than 257 bytes do not overflow sums of 16 bits") {
  Case test = make_case({300, 1, /*whole_numbers=*/true}, false, 4, {200, 300});
  test.probes = draw_probes(test, 2);
  const auto answers = plain_answers(test);
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    CHECK(differing_slots(answers,
                          make_scan(test, &kernels).search(test.queries, test.probes, 20)) == 0);
  }
}

TEST_CASE("sums of table bytes bound distances from both sides") {
  constexpr std::int64_t m = 24;
  Case test = make_case({m, 4}, false, 5, {256}, 5);
  // Steps of three widths, by eight sub-vectors each.
  for (std::int64_t s = 0; s < m; ++s) test.codebook.pq_centroids[s] /= 1 << (s % 3);
  const index::ScanCentroids centroids(test.codebook);
  index::ScanLists lists(m, std::vector<std::int64_t>{256});
  std::vector<std::uint8_t> numbers(m * 256);
  for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = static_cast<std::uint8_t>(i);
  const std::vector<float> terms(m * 256, 0);
  lists.append(
      0, test.lists[0].codes, test.lists[0].ids,
      {.numbers = numbers.data(), .terms = terms.data(), .places = centroids.places().data()});
  for (const index::SimdKernels& kernels : index::simd_kernels_of_this_cpu()) {
    for (std::int64_t q = 0; q < 5; ++q) {
      std::vector<float> padded(m * 4, 0);
      centroids.pad(test.queries.const_data_ptr<float>() + q * m * 4, -2, padded.data());
      at::Tensor table = at::empty({index::scan_table_bytes(kernels.scan, m)}, at::kByte);
      const auto query = index::make_scan_query(kernels.scan, centroids, padded.data(),
                                                table.mutable_data_ptr<std::uint8_t>());
      const auto scan = [&](float limit, std::vector<float>& scores) {
        std::vector<std::uint64_t> passing(4);
        kernels.scan.scan({.blocks = lists.blocks(0),
                           .count = 4,
                           .m = m,
                           .table = query.table,
                           .near_table = query.near_table,
                           .weights = query.weights,
                           .scale = query.scale,
                           .limit = limit,
                           .scores = scores.data(),
                           .passing = passing.data()});
        return passing;
      };
      std::vector<float> scores(256);
      std::vector<float> scores_below(256);
      scan(index::missing_distance, scores);
      auto sorted = scores;
      std::sort(sorted.begin(), sorted.end());
      // What rounding down may cost: a step of each sub-vector.
      const index::ScanWeights weights = query.weights;
      CHECK(weights.fours >= 8);
      CHECK(weights.fours < m);
      CHECK(weights.twos >= weights.fours);
      const double slack =
          static_cast<double>(m + 2 * weights.fours + weights.twos) * double{query.scale};
      CHECK(query.error(0) < 1e-2 * slack);
      double largest_gap = 0;
      for (const std::size_t few : {0, 1, 5, 40, 255}) {
        const float limit = sorted[few];
        const auto passing = scan(limit, scores_below);
        std::int64_t wrong = 0;
        for (std::size_t i = 0; i < 256; ++i) {
          const bool passes = (passing[i / 64] >> (i % 64) & 1) == 1;
          wrong += passes == (scores[i] < limit) && (scores_below[i] < limit) == passes ? 0 : 1;
          wrong += passes && std::abs(scores_below[i] - scores[i]) > query.error(0) ? 1 : 0;
        }
        CHECK(wrong == 0);
      }
      for (std::int64_t i = 0; i < 256; ++i) {
        const double gap =
            double{centroids.dot(padded.data(), lists.code(0, i), centroids.places().data())} -
            (query.floor + double{scores[static_cast<std::size_t>(i)]});
        largest_gap = std::max(largest_gap, gap);
        CHECK(gap > -query.error(0));
        CHECK(gap < slack + query.error(0));
      }
      CHECK(largest_gap > 0.3 * slack);  // it is no looser than it has to be
    }
  }
}

TEST_CASE("the bound of the k-th smallest is one, and close") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  core::Random random(11);
  std::vector<float> values(1003);
  for (float& value : values) value = static_cast<float>(1000 + test::normal(random));
  const auto check_bounds = [](std::span<const float> of, float steps) {
    std::vector<float> sorted(of.begin(), of.end());
    std::sort(sorted.begin(), sorted.end());
    const float step = (sorted.back() - sorted.front()) / steps;
    const auto all = std::ssize(sorted);
    for (const std::int64_t k : {std::int64_t{1}, std::int64_t{2}, all / 2, all - 1, all}) {
      const float bound = index::kth_smallest_at_most(of, k);
      CHECK(bound >= sorted[k - 1]);
      CHECK(bound <= sorted[k - 1] + step);
    }
  };
  check_bounds(values, 1000);
  check_bounds(std::span(values).first(200), 100);
  auto sorted = values;
  std::sort(sorted.begin(), sorted.end());
  CHECK(index::kth_smallest_at_most(values, 1004) == infinity);
  values[5] = infinity;
  values[700] = std::numeric_limits<float>::quiet_NaN();
  CHECK(index::kth_smallest_at_most(values, 1002) == infinity);
  CHECK(index::kth_smallest_at_most(values, 1001) >= sorted[1000]);
  CHECK(index::kth_smallest_at_most(values, 1001) <= sorted.back());
  values[6] = -infinity;
  CHECK(index::kth_smallest_at_most(values, 3) <= sorted.back());
  CHECK(index::kth_smallest_at_most(std::vector<float>(5, 2.5F), 5) == 2.5F);
  CHECK(index::kth_smallest_at_most(std::vector<float>{-3e38F, 3e38F}, 1) == 3e38F);
  CHECK(index::kth_smallest_at_most({}, 1) == infinity);
}

TEST_CASE("a number above another is above it, and near") {
  constexpr float infinity = std::numeric_limits<float>::infinity();
  for (const float value : {0.0F, 1.0F, -1.0F, 3e38F, -3e38F, 1e-40F, -1e-40F, 123.456F}) {
    CHECK(index::above(value) > value);
    CHECK(index::above(value) <= value + std::abs(value) * 3e-7F + 2e-38F);
  }
  CHECK(index::above(1 - 1e-12) > 1 - 1e-12);  // which fp32 does not tell from 1
  CHECK(index::above(1e300) == infinity);
  CHECK(index::above(-1e300) == infinity);
  CHECK(index::above(std::numeric_limits<double>::quiet_NaN()) == infinity);
}

TEST_CASE("what is chosen among many is visited once, in order") {
  core::Random random(5);
  std::vector<std::uint8_t> marks(100, 1);  // of another time
  for (const std::size_t count : {0, 1, 7, 8, 9, 64, 1003}) {
    std::vector<float> values(count);
    for (float& value : values) value = static_cast<float>(test::normal(random));
    for (const float limit : {-9.0F, -1.5F, 0.0F, 9.0F}) {
      std::vector<std::size_t> expected, found;
      for (std::size_t i = 0; i < count; ++i) {
        if (values[i] < limit) expected.push_back(i);
      }
      index::visit_chosen(
          count, marks, [&](std::size_t i) { return values[i] < limit; },
          [&](std::size_t i) { found.push_back(i); });
      CHECK(found == expected);
    }
  }
}

TEST_CASE("results depend neither on threads and batches nor on where the entries are") {
  const auto inner_product = GENERATE(false, true);
  const Case test = make_case({8, 4, false, /*codes=*/40}, inner_product, 6, some_sizes, 25);
  const auto whole = make_scan(test);
  constexpr std::int64_t k = 30;
  const HostTopK expected = whole.search(test.queries, test.probes, k);

  const int threads = at::get_num_threads();
  for (const int count : {1, 2, 3}) {
    at::set_num_threads(count);
    CHECK(same(whole.search(test.queries, test.probes, k), expected));
  }
  at::set_num_threads(threads);

  Case even = test;
  Case odd = test;
  for (std::size_t list = 0; list < test.lists.size(); ++list) {
    even.lists[list] = odd.lists[list] = {};
    for (std::size_t i = test.lists[list].ids.size(); i-- > 0;) {  // backwards
      List& part = (i % 2 == 0 ? even : odd).lists[list];
      part.ids.push_back(test.lists[list].ids[i]);
      const auto* code = test.lists[list].codes.data() + i * 8;
      part.codes.insert(part.codes.end(), code, code + 8);
    }
  }
  const HostTopK of_even = make_scan(even).search(test.queries, test.probes, k);
  const HostTopK of_odd = make_scan(odd).search(test.queries, test.probes, k);
  for (std::int64_t i = 0; i < 25; ++i) {
    const HostTopK alone = whole.search(
        test.queries.slice(0, i, i + 1),
        {test.probes.lists.slice(0, i, i + 1), test.probes.distances.slice(0, i, i + 1)}, k);
    index::NearestNeighbours merged = index::make_nearest(k);
    for (auto slot = static_cast<std::size_t>(i * k); slot < static_cast<std::size_t>((i + 1) * k);
         ++slot) {
      merged.offer({of_even.distances[slot], of_even.ids[slot]});
      merged.offer({of_odd.distances[slot], of_odd.ids[slot]});
    }
    const auto sorted = merged.take_sorted();
    std::int64_t different = 0;
    for (std::size_t j = 0; j < static_cast<std::size_t>(k); ++j) {
      const auto slot = static_cast<std::size_t>(i * k) + j;
      const index::Neighbour& both = sorted[j];
      different += alone.ids[j] == expected.ids[slot] ? 0 : 1;
      different += alone.distances[j] == expected.distances[slot] ? 0 : 1;
      different += both.id == expected.ids[slot] ? 0 : 1;
      different += both.distance == expected.distances[slot] ? 0 : 1;
    }
    CHECK(different == 0);
  }
}

TEST_CASE("faiss finds the same neighbours in the same lists") {
  const Case test = make_case({8, 4}, false, 7, {400, 0, 300, 65, 1000}, 40);
  const auto lists = index::make_faiss_lists(test.codebook);
  auto* faiss_index = dynamic_cast<faiss::IndexIVFPQ*>(lists.get());
  REQUIRE(faiss_index != nullptr);
  for (std::size_t list = 0; list < test.lists.size(); ++list) {
    faiss_index->invlists->add_entries(list, test.lists[list].ids.size(),
                                       test.lists[list].ids.data(), test.lists[list].codes.data());
  }
  faiss_index->ntotal = test.entries();
  faiss_index->precompute_table();
  faiss_index->nprobe = 3;
  constexpr std::size_t slots = 40 * 20;
  std::vector<float> distances(slots);
  std::vector<std::int64_t> ids(slots);
  faiss_index->search_preassigned(40, test.queries.const_data_ptr<float>(), 20,
                                  test.probes.lists.const_data_ptr<std::int64_t>(),
                                  test.probes.distances.const_data_ptr<float>(), distances.data(),
                                  ids.data(), false);
  REQUIRE(test.probes.lists.size(1) == 3);
  const HostTopK found = make_scan(test).search(test.queries, test.probes, 20);
  std::size_t same_ids = 0;
  for (std::size_t i = 0; i < slots; ++i) {
    CHECK(found.distances[i] == Approx(distances[i]).epsilon(1e-4));
    same_ids += found.ids[i] == ids[i] ? 1 : 0;
  }
  CHECK(same_ids > slots - 8);  // equal but for the order of near ties
}

TEST_CASE("without entries or queries nothing is found, and numbers that are none are not kept") {
  Case test = make_case({4, 4}, false, 8);
  const auto scan = make_scan(test);
  const at::Tensor lists = test.probes.lists.slice(0, 0, 0);
  CHECK(scan.search(test.queries.slice(0, 0, 0), {lists, test.probes.distances.slice(0, 0, 0)}, 3)
            .ids.numel() == 0);
  const index::Probes no_probes{test.probes.lists.slice(1, 0, 0),
                                test.probes.distances.slice(1, 0, 0)};
  CHECK(HostTopK(scan.search(test.queries, no_probes, 2)).ids == std::vector<std::int64_t>(24, -1));
  const std::vector<std::int64_t> no_entries(some_sizes.size(), 0);
  const index::IvfPqScan empty(test.codebook, no_entries);
  CHECK(empty.entries() == 0);
  CHECK(HostTopK(empty.search(test.queries, test.probes, 2)).ids ==
        std::vector<std::int64_t>(24, -1));
  const index::IvfPqScan unfilled(test.codebook, some_sizes);
  CHECK(HostTopK(unfilled.search(test.queries, test.probes, 2)).ids ==
        std::vector<std::int64_t>(24, -1));

  const HostTopK before = scan.search(test.queries, test.probes, 5);
  const at::Tensor broken = test.queries.clone();
  broken[3][0] = std::numeric_limits<float>::quiet_NaN();
  broken[4][7] = std::numeric_limits<float>::infinity();
  broken[5].fill_(3e38);
  const HostTopK after = scan.search(broken, test.probes, 5);
  for (std::size_t slot = 0; slot < 60; ++slot) {
    const bool is_broken = slot >= 15 && slot < 30;
    if (slot < 20) CHECK(after.ids[slot] == (is_broken ? -1 : before.ids[slot]));
    if (slot >= 30) CHECK(after.ids[slot] == before.ids[slot]);
  }
}

TEST_CASE("a list takes no more than there is room for, and blocks are all that is added") {
  const Case test = make_case({8, 4}, false, 9, {100'000, 3}, 1);
  auto scan = make_scan(test);
  CHECK_THROWS_AS(scan.append(1, std::vector<std::uint8_t>(8), std::vector<std::int64_t>{1}),
                  std::logic_error);
  CHECK_THROWS_AS(scan.append(2, std::vector<std::uint8_t>(8), std::vector<std::int64_t>{1}),
                  std::logic_error);
  CHECK(scan.bytes() > 100'000 * 20);
  CHECK(scan.bytes() < 100'128 * 20 + 100'000);
}
