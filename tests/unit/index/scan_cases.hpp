// Inverted lists of PQ codes, queries and what plain arithmetic finds for them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include <ATen/ATen.h>

#include "core/entry_id.hpp"
#include "core/random.hpp"
#include "index/search/ivfpq_scan.hpp"
#include "support/host_top_k.hpp"
#include "support/normal.hpp"

namespace knnseq::test {

struct List {
  std::vector<std::uint8_t> codes;  ///< [n, m]
  std::vector<std::int64_t> ids;
};

/// A codebook without a transform, lists, queries and their probes.
struct Case {
  index::Codebook codebook;
  std::vector<List> lists;
  at::Tensor queries;
  index::Probes probes;
  bool inner_product = false;

  index::ScanOptions options(const index::SimdKernels* kernels = nullptr) const {
    return {inner_product, kernels};
  }
  std::int64_t entries() const {
    std::size_t count = 0;
    for (const List& list : lists) count += list.ids.size();
    return static_cast<std::int64_t>(count);
  }
};

struct Shape {
  std::int64_t m = 8;
  std::int64_t dsub = 4;
  bool whole_numbers = false;  ///< small enough for fp32 to be exact
  std::int64_t codes = 0;      ///< different codes; 0: all are drawn by themselves
};

inline at::Tensor draw(at::IntArrayRef shape, core::Random& random, bool whole_numbers) {
  at::Tensor result = at::empty(shape, at::kFloat);
  auto* data = result.mutable_data_ptr<float>();
  for (std::int64_t i = 0; i < result.numel(); ++i) {
    const double value = test::normal(random);
    data[i] =
        static_cast<float>(whole_numbers ? std::clamp(std::round(2 * value), -6.0, 6.0) : value);
  }
  return result;
}

/// All lists are probed in an order of the query's own, those beyond `nprobe` left out.
inline index::Probes draw_probes(const Case& test, std::int64_t nprobe) {
  const at::Tensor q = test.queries.to(at::kDouble);
  const at::Tensor c = test.codebook.coarse_centroids.to(at::kDouble);
  const at::Tensor distances = test.inner_product
                                   ? -at::mm(q, c.t())
                                   : at::sum(at::square(q.unsqueeze(1) - c.unsqueeze(0)), {2});
  const auto [sorted, lists] = at::sort(distances, 1);
  return {lists.slice(1, 0, nprobe).contiguous(),
          sorted.slice(1, 0, nprobe).to(at::kFloat).contiguous()};
}

inline const std::vector<std::int64_t> some_sizes = {0, 1, 63, 64, 65, 500, 0, 130, 257, 700};

inline Case make_case(const Shape& shape, bool inner_product, std::uint64_t seed,
                      const std::vector<std::int64_t>& sizes = some_sizes,
                      std::int64_t queries = 12) {
  core::Random random(seed);
  const std::int64_t d = shape.m * shape.dsub;
  const auto nlist = static_cast<std::int64_t>(sizes.size());
  Case test;
  test.inner_product = inner_product;
  test.codebook.spec = {.d_in = d, .d_out = d, .nlist = nlist, .m = shape.m};
  test.codebook.coarse_centroids = draw({nlist, d}, random, shape.whole_numbers);
  test.codebook.pq_centroids = draw({shape.m, 256, shape.dsub}, random, shape.whole_numbers);
  test.queries = draw({queries, d}, random, shape.whole_numbers);
  const auto byte = [&] { return static_cast<std::uint8_t>(random.below(256)); };
  std::vector<std::uint8_t> pool(shape.codes * shape.m);
  std::generate(pool.begin(), pool.end(), byte);
  std::int64_t entry = 0;
  for (const std::int64_t size : sizes) {
    List& list = test.lists.emplace_back();
    for (std::int64_t i = 0; i < size; ++i) {
      // numbers neither in order nor in that of the tokens above them
      const std::int64_t number = (entry++ * 7919) % 10007;
      list.ids.push_back(core::pack_entry_id(static_cast<core::TokenId>(number % 97), number));
      const auto at = static_cast<std::size_t>(
          shape.codes > 0 ? random.below(static_cast<std::uint64_t>(shape.codes)) : 0);
      for (std::size_t s = 0; s < static_cast<std::size_t>(shape.m); ++s) {
        list.codes.push_back(shape.codes > 0 ? pool[at * static_cast<std::size_t>(shape.m) + s]
                                             : byte());
      }
    }
  }
  test.probes = draw_probes(test, nlist - 2);
  return test;
}

inline std::vector<std::int64_t> sizes_of(const Case& test) {
  std::vector<std::int64_t> sizes;
  for (const List& list : test.lists) sizes.push_back(static_cast<std::int64_t>(list.ids.size()));
  return sizes;
}

inline void fill(index::ListIndex& scan, const Case& test) {
  for (std::size_t list = 0; list < test.lists.size(); ++list) {
    scan.append(static_cast<std::int64_t>(list), test.lists[list].codes, test.lists[list].ids);
  }
  scan.finish();
}

inline index::IvfPqScan make_scan(const Case& test, const index::SimdKernels* kernels = nullptr) {
  index::IvfPqScan scan(test.codebook, sizes_of(test), test.options(kernels));
  fill(scan, test);
  return scan;
}

struct Expected {
  double distance;
  std::int64_t entry;
  std::int64_t id;
  auto operator<=>(const Expected&) const = default;
};

/// All entries of the query's lists in the order of (distance, entry number), in double.
inline std::vector<Expected> plain_search(const Case& test, std::int64_t query) {
  const std::int64_t m = test.codebook.spec.m;
  const std::int64_t dsub = test.codebook.spec.dsub();
  const float* q = test.queries.const_data_ptr<float>() + query * m * dsub;
  std::vector<Expected> all;
  for (std::int64_t p = 0; p < test.probes.lists.size(1); ++p) {
    const auto list =
        test.probes.lists.const_data_ptr<std::int64_t>()[query * test.probes.lists.size(1) + p];
    const float* centroid =
        test.codebook.coarse_centroids.const_data_ptr<float>() + list * m * dsub;
    const List& content = test.lists[list];
    for (std::size_t i = 0; i < content.ids.size(); ++i) {
      double distance = 0;
      for (std::int64_t j = 0; j < m * dsub; ++j) {
        const auto code =
            content.codes[i * static_cast<std::size_t>(m) + static_cast<std::size_t>(j / dsub)];
        const double decoded =
            double{centroid[j]} +
            test.codebook.pq_centroids
                .const_data_ptr<float>()[(j / dsub * 256 + code) * dsub + j % dsub];
        distance += test.inner_product ? -q[j] * decoded : (q[j] - decoded) * (q[j] - decoded);
      }
      all.push_back({distance, core::entry_number_of(content.ids[i]), content.ids[i]});
    }
  }
  std::sort(all.begin(), all.end());
  return all;
}

using Answers = std::vector<std::vector<Expected>>;

/// plain_search() for all queries.
inline Answers plain_answers(const Case& test) {
  Answers answers;
  for (std::int64_t i = 0; i < test.queries.size(0); ++i) answers.push_back(plain_search(test, i));
  return answers;
}

/// Slots that are not exactly what plain arithmetic gives.
inline std::int64_t differing_slots(const Answers& answers, const HostTopK& found) {
  std::int64_t different = 0;
  for (std::int64_t i = 0; i < found.queries; ++i) {
    const auto& expected = answers[i];
    for (std::int64_t j = 0; j < found.k; ++j) {
      const auto slot = static_cast<std::size_t>(i * found.k + j);
      const auto at = static_cast<std::size_t>(j);
      const bool same = at < expected.size()
                            ? found.ids[slot] == expected[at].id &&
                                  double{found.distances[slot]} == expected[at].distance
                            : found.ids[slot] == index::missing_id &&
                                  found.distances[slot] == index::missing_distance;
      different += same ? 0 : 1;
    }
  }
  return different;
}

}  // namespace knnseq::test
